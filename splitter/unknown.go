package splitter

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// unknownFields holds the members of a JSON object that this release has no field for, as they came: what a newer
// release wrote there outlives every change that this one makes.
type unknownFields map[string]json.RawMessage

// fieldNames lists the JSON members that struct T has a field for, those of embedded structs included.
func fieldNames[T any]() map[string]bool {
	names := map[string]bool{}
	for _, f := range reflect.VisibleFields(reflect.TypeFor[T]()) {
		if tag, isTagged := f.Tag.Lookup("json"); isTagged && f.IsExported() {
			name, _, _ := strings.Cut(tag, ",")
			names[name] = true
		}
	}
	return names
}

// decodeKeeping decodes a JSON object into known, a pointer to a struct whose members are names, and returns the
// members that it does not have. A null is an object without members.
//
// Names must match to the letter. encoding/json alone would take "Schema" for "schema", and what a document with both
// means would then depend on their order.
func decodeKeeping(data []byte, known any, names map[string]bool) (unknownFields, error) {
	var all map[string]json.RawMessage
	if err := json.Unmarshal(data, &all); err != nil {
		return nil, err
	}
	mine, unknown := map[string]json.RawMessage{}, unknownFields{}
	for name, value := range all {
		if names[name] {
			mine[name] = value
		} else {
			unknown[name] = value
		}
	}
	if len(unknown) == 0 {
		return nil, json.Unmarshal(data, known) // no name can be taken for another
	}
	if err := remarshal(mine, known); err != nil {
		return nil, err
	}
	// Writing brings raw JSON into one form (spaces, escapes). Doing it here already makes what was read and what is
	// written equal to the byte.
	return unknown, remarshal(unknown, &unknown)
}

// encodeKeeping encodes the struct known, and behind its members the unknown ones, in order of their names.
func encodeKeeping(known any, unknown unknownFields) ([]byte, error) {
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

func remarshal(from, to any) error {
	data, err := json.Marshal(from)
	if err != nil {
		return err
	}
	return json.Unmarshal(data, to)
}

// clone returns a deep copy.
func (u unknownFields) clone() unknownFields {
	c := maps.Clone(u)
	for name, value := range c {
		c[name] = slices.Clone(value)
	}
	return c
}
