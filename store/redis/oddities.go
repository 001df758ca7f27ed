package redis

import (
	"maps"
	"slices"
	"sync"
)

// oddities remembers what of one kind could not be read, and why, so that each is told of once and not each second.
type oddities struct {
	mu   sync.Mutex // protects following fields
	told map[string]string
}

// news takes what is odd now, why by name, and returns the names of which that was not known, sorted.
func (o *oddities) news(odd map[string]string) []string {
	o.mu.Lock()
	before := o.told
	o.told = odd
	o.mu.Unlock()
	return slices.DeleteFunc(slices.Sorted(maps.Keys(odd)), func(name string) bool { return before[name] == odd[name] })
}

// tell logs what a pulse found that cannot be read and could be before.
func (s *Store) tell(p pulse) {
	for _, split := range s.oddInboxes.news(p.oddInboxes) {
		s.logger.Warn("the break-glass inbox holds something that is no order; write a text with SET", "split", split,
			"error", p.oddInboxes[split])
	}
	for _, split := range s.oddStates.news(p.Corrupt) {
		s.logger.Error("a split's State in the store cannot be read; the split goes on with the last one known", "split", split,
			"error", p.Corrupt[split])
	}
	if p.Members == nil { // they were not asked for
		return
	}
	for _, member := range s.oddMembers.news(p.oddMembers) {
		s.logger.Warn("what a member reports of itself cannot be read; a newer release may have written it", "member", member,
			"error", p.oddMembers[member])
	}
}
