package rollout

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"github.com/switchback-proxy/switchback/store"
)

// hashBytes is how much of a definition's hash members tell each other: enough that two that differ by accident are told
// apart, each second anew.
const hashBytes = 8

// fileOf returns what the fleet is told of a definition: its variants and their versions, and a hash by which two proxies
// with different files find out.
func fileOf(def Definition) (store.File, error) {
	doc, err := json.Marshal(def)
	if err != nil {
		return store.File{}, fmt.Errorf("hash the definition of %q: %w", def.Name, err)
	}
	sum := sha256.Sum256(doc)
	return store.File{Hash: hex.EncodeToString(sum[:hashBytes]), Variants: def.names(), Declared: def.declared()}, nil
}

// files returns what the newest configuration in force has of each split.
func files(splits []*Split) map[string]store.File {
	all := make(map[string]store.File, len(splits))
	for _, s := range splits {
		if file, ok := s.fileInForce(); ok {
			all[s.name] = file
		}
	}
	return all
}

func (s *Split) fileInForce() (store.File, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.newestInForce()
	if a == nil {
		return store.File{}, false
	}
	return a.file, true
}
