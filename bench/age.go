package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"
)

// age returns a JSON document all of whose times are by d earlier.
func age(doc []byte, d time.Duration) ([]byte, error) {
	decoder := json.NewDecoder(bytes.NewReader(doc))
	decoder.UseNumber()
	var v any
	if err := decoder.Decode(&v); err != nil {
		return nil, fmt.Errorf("read a snapshot: %w", err)
	}
	return json.Marshal(aged(v, d))
}

// aged returns a JSON value all of whose times are by d earlier.
func aged(v any, d time.Duration) any {
	switch v := v.(type) {
	case map[string]any:
		for name := range v {
			v[name] = aged(v[name], d)
		}
	case []any:
		for i := range v {
			v[i] = aged(v[i], d)
		}
	case string:
		if at, err := time.Parse(time.RFC3339Nano, v); err == nil {
			return at.Add(-d).Format(time.RFC3339Nano)
		}
	}
	return v
}
