package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/switchback-proxy/switchback/splitter"
)

// dirSuffix is what the name of every document's file ends with.
const dirSuffix = ".json"

// Dir is a folder (mode 0700) that holds one JSON document per split, each in a file of its own (mode 0600) which is
// replaced atomically and synced: after a crash it holds the old document or the new one. Its methods may be called
// concurrently; of two processes in one folder, the last writer wins.
type Dir struct {
	path string
	mu   sync.Mutex // orders writers of this process
}

// OpenDir makes the folder if there is none, and removes what a crash left in it.
func OpenDir(path string) (*Dir, error) {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, fmt.Errorf("make folder: %w", err)
	}
	if err := RemoveTemps(path); err != nil {
		return nil, err
	}
	return DirAt(path), nil
}

// DirAt returns the Dir of a folder without touching it: enough to read one that another process writes. A folder
// that does not exist reads as empty.
func DirAt(path string) *Dir { return &Dir{path: path} }

// Path returns the folder.
func (d *Dir) Path() string { return d.path }

// Save writes doc in place of the document of that name.
func (d *Dir) Save(name string, doc []byte) error {
	file, err := d.file(name)
	if err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return WriteFile(file, doc)
}

// SaveLightly is Save without waiting for the disk: it is for what may be lost. A crash of this process leaves the old
// document or the new one; a power loss may leave one that Load finds to be corrupt.
func (d *Dir) SaveLightly(name string, doc []byte) error {
	file, err := d.file(name)
	if err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return replace(file, doc, unsettled)
}

// Load returns the document of that name. Without one the error is fs.ErrNotExist; one that is empty or not wholly
// JSON, as after a disk's failure, is an error that wraps ErrCorrupt and names the file.
func (d *Dir) Load(name string) ([]byte, error) {
	file, err := d.file(name)
	if err != nil {
		return nil, err
	}
	doc, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read document: %w", err)
	}
	if !json.Valid(doc) {
		return nil, fmt.Errorf("%w: file %s is not a whole JSON document (%d bytes)", ErrCorrupt, file, len(doc))
	}
	return doc, nil
}

// Remove removes the document of that name; it is no error if there is none.
func (d *Dir) Remove(name string) error {
	file, err := d.file(name)
	if err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := removeIfThere(file); err != nil {
		return fmt.Errorf("remove document: %w", err)
	}
	if err := syncFolder(d.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove document: %w", err)
	}
	return nil
}

// List returns the names of all documents, sorted. Files that are no documents are passed over.
func (d *Dir) List() ([]string, error) {
	entries, err := os.ReadDir(d.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list documents: %w", err)
	}
	var names []string
	for _, entry := range entries {
		name, found := strings.CutSuffix(entry.Name(), dirSuffix)
		if found && splitter.ValidName(name) && entry.Type().IsRegular() {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names, nil
}

// file returns a document's file; a name that could lead out of the folder is an error.
func (d *Dir) file(name string) (string, error) {
	if err := checkName(name); err != nil {
		return "", err
	}
	return filepath.Join(d.path, name+dirSuffix), nil
}
