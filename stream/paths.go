package stream

import "strings"

// A path leads to a value that is wanted: the keys from the event's top-level object down, joined by dots. Arrays on
// the way are passed through: choices.delta.content is that of any choice.
type path struct {
	keys string
	slot slot
}

// paths is a tree of keys, flat: node 0 is the top level, and indexes refer to other nodes, where 0 means none.
type paths []node

type node struct {
	key         string
	slot        slot
	child, next uint8
	hints       uint64 // of the children's keys
}

// hint is a bit that stands for a key, among others: most keys of a text are wanted nowhere, and are told by it from
// those that are.
func hint(key []byte) uint64 {
	if len(key) == 0 {
		return 1
	}
	return 1 << ((int(key[0]) + 5*len(key)) % 64)
}

// compile builds the tree of all the lists' paths.
func compile(lists ...[]path) paths {
	tree := paths{{}}
	for _, list := range lists {
		for _, p := range list {
			at := uint8(0)
			for key := range strings.SplitSeq(p.keys, ".") {
				at = tree.add(at, key)
			}
			tree[at].slot = p.slot
		}
	}
	return tree
}

// add returns the child of node at that has the key, which it makes if there is none.
func (t *paths) add(at uint8, key string) uint8 {
	if i := t.find(at, []byte(key)); i != 0 {
		return i
	}
	*t = append(*t, node{key: key, next: (*t)[at].child})
	i := uint8(len(*t) - 1)
	(*t)[at].child = i
	(*t)[at].hints |= hint([]byte(key))
	return i
}

// find returns the child of node at that has the key, or 0.
func (t paths) find(at uint8, key []byte) uint8 {
	if t[at].hints&hint(key) == 0 {
		return 0
	}
	for i := t[at].child; i != 0; i = t[i].next {
		if t[i].key == string(key) {
			return i
		}
	}
	return 0
}
