package splitter_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"
)

// This file and frozen_validate_test.go are the State as the first release of schema 1 wrote, read and checked it. They
// are frozen: they use nothing of the package that they test, and must never be edited, for the proxies that they
// stand for run somewhere and are not edited either. Only phases and levels are simpler than they were, texts without an
// enumeration: on the wire they are the same.

type frozenState struct {
	Schema int    `json:"schema"`
	Split  string `json:"split"`
	frozenVersion
	Parent   string            `json:"parent,omitempty"`
	Epoch    uint64            `json:"epoch"`
	Salt     string            `json:"salt"`
	Stable   string            `json:"stable"`
	Canary   string            `json:"canary,omitempty"`
	Ranges   []frozenRange     `json:"ranges"`
	Declared map[string]string `json:"declared,omitempty"`
	Kills    []frozenKill      `json:"kills,omitempty"`
	Revived  []frozenRevival   `json:"revived,omitempty"`
	Policy   json.RawMessage   `json:"policy,omitempty"`
	Progress frozenProgress    `json:"progress"`
	Cooldown frozenCooldown    `json:"cooldown"`
	Changed  frozenChange      `json:"changed"`

	unknown frozenUnknown
}

type frozenVersion struct {
	Revision uint64 `json:"revision"`
	ID       string `json:"id"`
}

type frozenRange struct {
	From    uint32 `json:"from"`
	To      uint32 `json:"to"`
	Variant string `json:"variant"`
}

type frozenKill struct {
	ID      string    `json:"id"`
	Variant string    `json:"variant,omitempty"`
	Reason  string    `json:"reason,omitempty"`
	Actor   string    `json:"actor,omitempty"`
	Via     string    `json:"via,omitempty"`
	At      time.Time `json:"at"`
	Level   string    `json:"level"` // requests, cut

	unknown frozenUnknown
}

type frozenRevival struct {
	ID string    `json:"id"`
	At time.Time `json:"at"`
}

type frozenProgress struct {
	Phase string    `json:"phase"` // idle, trial, failed_back, unknown
	Since time.Time `json:"since"`
	Why   string    `json:"why,omitempty"`

	unknown frozenUnknown
}

type frozenCooldown struct {
	Until     time.Time `json:"until,omitzero"`
	Failbacks int       `json:"failbacks,omitempty"`
}

type frozenChange struct {
	Kind   string    `json:"kind"`
	Actor  string    `json:"actor,omitempty"`
	Via    string    `json:"via,omitempty"`
	At     time.Time `json:"at"`
	Reason string    `json:"reason,omitempty"`
}

// The plain types have the fields of the documents and none of their methods.
type (
	frozenPlainState    frozenState
	frozenPlainKill     frozenKill
	frozenPlainProgress frozenProgress
)

var (
	frozenStateFields    = frozenFieldNames[frozenPlainState]()
	frozenKillFields     = frozenFieldNames[frozenPlainKill]()
	frozenProgressFields = frozenFieldNames[frozenPlainProgress]()
)

// frozenDecode reads a State and checks it.
func frozenDecode(data []byte) (*frozenState, error) {
	s := new(frozenState)
	if err := json.Unmarshal(data, s); err != nil {
		return nil, fmt.Errorf("state cannot be read: %w", err)
	}
	if err := s.validate(); err != nil {
		return nil, err
	}
	return s, nil
}

func (s frozenState) MarshalJSON() ([]byte, error) {
	return frozenEncodeKeeping(frozenPlainState(s), s.unknown)
}

func (s *frozenState) UnmarshalJSON(data []byte) error {
	var plain frozenPlainState
	unknown, err := frozenDecodeKeeping(data, &plain, frozenStateFields)
	if err != nil {
		return err
	}
	*s = frozenState(plain)
	s.unknown = unknown
	return nil
}

func (k frozenKill) MarshalJSON() ([]byte, error) {
	return frozenEncodeKeeping(frozenPlainKill(k), k.unknown)
}

func (k *frozenKill) UnmarshalJSON(data []byte) error {
	plain := frozenPlainKill{Level: "requests"}
	unknown, err := frozenDecodeKeeping(data, &plain, frozenKillFields)
	if err != nil {
		return err
	}
	*k = frozenKill(plain)
	k.unknown = unknown
	return nil
}

func (p frozenProgress) MarshalJSON() ([]byte, error) {
	return frozenEncodeKeeping(frozenPlainProgress(p), p.unknown)
}

func (p *frozenProgress) UnmarshalJSON(data []byte) error {
	plain := frozenPlainProgress{Phase: "idle"}
	unknown, err := frozenDecodeKeeping(data, &plain, frozenProgressFields)
	if err != nil {
		return err
	}
	*p = frozenProgress(plain)
	p.unknown = unknown
	return nil
}

// next begins a change as the first release did: the next revision, of s.
func (s *frozenState) next(id string, changed frozenChange) *frozenState {
	n := *s
	n.Revision++
	n.Parent, n.ID, n.Changed = s.ID, id, changed
	return &n
}

// reweigh gives the split new ranges.
func (s *frozenState) reweigh(id string, ranges ...frozenRange) *frozenState {
	n := s.next(id, frozenChange{Kind: "weights", Via: "socket", At: s.Changed.At.Add(time.Minute)})
	n.Ranges = ranges
	return n
}

// kill adds a kill.
func (s *frozenState) kill(id string, k frozenKill) *frozenState {
	n := s.next(id, frozenChange{Kind: "kill", Via: "socket", At: k.At})
	n.Kills = append(slices.Clone(s.Kills), k)
	return n
}

// frozenUnknown holds the members of a JSON object that the first release has no field for.
type frozenUnknown map[string]json.RawMessage

func frozenFieldNames[T any]() map[string]bool {
	names := map[string]bool{}
	for _, f := range reflect.VisibleFields(reflect.TypeFor[T]()) {
		if tag, isTagged := f.Tag.Lookup("json"); isTagged && f.IsExported() {
			name, _, _ := strings.Cut(tag, ",")
			names[name] = true
		}
	}
	return names
}

func frozenDecodeKeeping(data []byte, known any, names map[string]bool) (frozenUnknown, error) {
	var all map[string]json.RawMessage
	if err := json.Unmarshal(data, &all); err != nil {
		return nil, err
	}
	mine, unknown := map[string]json.RawMessage{}, frozenUnknown{}
	for name, value := range all {
		if names[name] {
			mine[name] = value
		} else {
			unknown[name] = value
		}
	}
	if err := frozenRemarshal(mine, known); err != nil {
		return nil, err
	}
	if len(unknown) == 0 {
		return nil, nil
	}
	return unknown, frozenRemarshal(unknown, &unknown)
}

func frozenEncodeKeeping(known any, unknown frozenUnknown) ([]byte, error) {
	data, err := json.Marshal(known)
	if err != nil || len(unknown) == 0 {
		return data, err
	}
	rest, err := json.Marshal(unknown)
	if err != nil {
		return nil, fmt.Errorf("fields of a newer release: %w", err)
	}
	return slices.Concat(bytes.TrimSuffix(data, []byte("}")), []byte(","), rest[1:]), nil
}

func frozenRemarshal(from, to any) error {
	data, err := json.Marshal(from)
	if err != nil {
		return err
	}
	return json.Unmarshal(data, to)
}
