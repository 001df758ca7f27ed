package control

import (
	"bytes"
	"cmp"
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// maxQuoted bounds how much of a caller's value an answer repeats, in bytes.
const maxQuoted = 100

// fault is what is wrong with a part of a document.
type fault struct {
	path string // plan.steps[1].weight; empty: the whole
	text string
}

// Error names the part, says what it has, and what it must be.
func (f *fault) Error() string {
	if f.path == "" {
		return f.text
	}
	return fmt.Sprintf("field %q: %s", f.path, f.text)
}

// strictly reads a valid document into v. A field that v does not know is an error, and so is what v's types refuse: it is
// said of the innermost part that one refuses, in that type's words, which encoding/json may drop.
func strictly(document []byte, v any) error {
	err := decodeStrictly(document, v)
	if err == nil {
		return nil
	}
	if f := find(part{"", document, reflect.TypeOf(v)}); f != nil {
		return f
	}
	return &fault{"", wordsOf(err)}
}

func decodeStrictly(document []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(document))
	d.DisallowUnknownFields()
	return d.Decode(v)
}

// part is a part of a document, and the type that it is read into; nil if that has no such field.
type part struct {
	path string
	json json.RawMessage
	as   reflect.Type
}

// find returns what is wrong with a part; nil if nothing is.
func find(p part) *fault {
	if p.as == nil {
		return &fault{p.path, "there is no such field"}
	}
	v := reflect.New(p.as)
	err := decodeStrictly(p.json, v.Interface())
	if err == nil {
		return nil
	}
	for _, sub := range p.parts() {
		if f := find(sub); f != nil {
			return f
		}
	}
	if inner, ok := errors.AsType[*fault](err); ok { // of a type that reads its parts by itself
		return &fault{join(p.path, inner.path), inner.text}
	}
	if _, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return &fault{p.path, p.needs()}
	}
	return &fault{p.path, wordsOf(err)}
}

// parts returns the parts of a part, in order: none of one whose type reads it by itself, or that has another form than its
// type.
func (p part) parts() (list []part) {
	t := p.as
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if _, own := reflect.New(t).Interface().(json.Unmarshaler); own {
		return nil
	}
	switch t.Kind() {
	case reflect.Struct, reflect.Map:
		var fields map[string]json.RawMessage
		if json.Unmarshal(p.json, &fields) != nil {
			return nil
		}
		for _, name := range slices.Sorted(maps.Keys(fields)) {
			list = append(list, part{join(p.path, name), fields[name], fieldType(t, name)})
		}
	case reflect.Slice:
		var items []json.RawMessage
		if json.Unmarshal(p.json, &items) != nil {
			return nil
		}
		for i, item := range items {
			list = append(list, part{fmt.Sprintf("%s[%d]", p.path, i), item, t.Elem()})
		}
	}
	return list
}

// fieldType returns the type of a field by its name in JSON, as encoding/json finds it; nil if there is none.
func fieldType(t reflect.Type, name string) reflect.Type {
	if t.Kind() == reflect.Map {
		return t.Elem()
	}
	for _, f := range reflect.VisibleFields(t) {
		tag, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if !f.Anonymous && strings.EqualFold(cmp.Or(tag, f.Name), name) {
			return f.Type
		}
	}
	return nil
}

// join returns the path of a part of a part.
func join(path, name string) string {
	if path == "" || name == "" || strings.HasPrefix(name, "[") {
		return path + name
	}
	return path + "." + name
}

// needs says what is wanted in place of a value that has another form than its type. What is written as text says so best by itself: 5 is
// no weight as "5" is none.
func (p part) needs() string {
	t := p.as
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	value := quoted(p.json)
	if text, ok := reflect.New(t).Interface().(encoding.TextUnmarshaler); ok {
		if err := text.UnmarshalText(p.json); err != nil && isPlain(p.json) {
			return err.Error()
		}
		return value + ": must be a text"
	}
	return value + ": must be " + form(t)
}

// isPlain reports whether a JSON value is a number or a word: neither a text nor made of parts.
func isPlain(value []byte) bool {
	return !strings.ContainsAny(string(value[:1]), `"{[`) && len(value) <= maxQuoted
}

// form says how a type is written in JSON.
func form(t reflect.Type) string {
	switch t.Kind() {
	case reflect.String:
		return "a text"
	case reflect.Bool:
		return "true or false"
	case reflect.Slice:
		return "a list"
	case reflect.Struct, reflect.Map:
		return "an object"
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return "a whole number, 0 or more"
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return "a whole number"
	default:
		return "a number"
	}
}

// quoted returns a value as a message repeats it.
func quoted(value json.RawMessage) string {
	var text string
	switch {
	case value[0] == '{':
		return "an object"
	case value[0] == '[':
		return "a list"
	case len(value) > maxQuoted:
		return fmt.Sprintf("a value of %d bytes", len(value))
	case json.Unmarshal(value, &text) == nil && value[0] == '"':
		return fmt.Sprintf("%q", text)
	}
	return string(value)
}

// wordsOf returns what an error of reading JSON says, without the decoder's own beginning.
func wordsOf(err error) string { return strings.TrimPrefix(err.Error(), "json: ") }
