package embedded

import (
	"encoding/json"
	"fmt"
	"path/filepath"

	"github.com/switchback-proxy/switchback/splitter"
	"github.com/switchback-proxy/switchback/store"
)

// document is what a State's file holds: the State, and the event that made it, so that one atomic write keeps both.
type document struct {
	State json.RawMessage `json:"state"`
	Event store.Event     `json:"event"`
}

// record is a document, decoded.
type record struct {
	state *splitter.State
	event store.Event
}

// statesIn returns the folder of documents.
func statesIn(folder string) string { return filepath.Join(folder, "states") }

// Read returns the States in a folder, by split, without taking the lock and without writing anything: it works
// beside a running proxy and before there is a folder (which reads as empty). A file that cannot be read is an error
// that names it.
func Read(folder string) (map[string]*splitter.State, error) {
	records, err := readAll(store.DirAt(statesIn(folder)))
	if err != nil {
		return nil, err
	}
	states := make(map[string]*splitter.State, len(records))
	for split, rec := range records {
		states[split] = rec.state
	}
	return states, nil
}

// readAll reads every document.
func readAll(dir *store.Dir) (map[string]record, error) {
	names, err := dir.List()
	if err != nil {
		return nil, store.Unavailable(err)
	}
	records := make(map[string]record, len(names))
	for _, name := range names {
		if records[name], err = readOne(dir, name); err != nil {
			return nil, err
		}
	}
	return records, nil
}

// readOne reads one document.
func readOne(dir *store.Dir, name string) (record, error) {
	data, err := dir.Load(name)
	if err != nil {
		return record{}, err
	}
	rec, err := decode(name, data)
	if err != nil {
		return record{}, fmt.Errorf("%w: state of %q in folder %s: %w", store.ErrCorrupt, name, dir.Path(), err)
	}
	return rec, nil
}

// decode decodes a document and checks that it is what its file's name says.
func decode(name string, data []byte) (record, error) {
	var doc document
	if err := json.Unmarshal(data, &doc); err != nil {
		return record{}, err
	}
	state, err := splitter.Decode(doc.State)
	if err != nil {
		return record{}, err
	}
	if state.Split != name {
		return record{}, fmt.Errorf("it holds the state of %q", state.Split)
	}
	return record{state: state, event: doc.Event}, nil
}

// writeOne replaces one document.
func writeOne(dir *store.Dir, rec record) error {
	state, err := json.Marshal(rec.state)
	if err != nil {
		return fmt.Errorf("encode the state of %q: %w", rec.state.Split, err)
	}
	data, err := json.Marshal(document{State: state, Event: rec.event})
	if err != nil {
		return fmt.Errorf("encode the event of %q: %w", rec.state.Split, err)
	}
	return dir.Save(rec.state.Split, append(data, '\n'))
}
