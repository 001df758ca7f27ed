package embedded_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/switchback-proxy/switchback/store/embedded"
)

func TestOneProcessAtATime(t *testing.T) {
	folder := t.TempDir()
	s := open(t, folder)
	_, err := embedded.Open(folder)
	if err == nil || !strings.Contains(err.Error(), folder) || !strings.Contains(err.Error(), fmt.Sprintf("(pid %d)", os.Getpid())) {
		t.Fatalf("second Open: got %v, want an error with the folder and the pid", err)
	}
	closeStore(t, s)
	open(t, folder)
}

// A restart overlaps: the new process waits a moment for the old one.
func TestOpenWaits(t *testing.T) {
	folder := t.TempDir()
	s := open(t, folder)
	opened := make(chan error, 1)
	go func() {
		next, err := embedded.Open(folder)
		if err == nil {
			err = next.Close()
		}
		opened <- err
	}()
	closeStore(t, s)
	if err := <-opened; err != nil {
		t.Errorf("Open while the other closes: %v", err)
	}
}

// Read works beside a running proxy and leaves no trace.
func TestRead(t *testing.T) {
	folder := t.TempDir()
	state := written(t, folder, 2)
	open(t, folder)
	before := listing(t, folder)
	states, err := embedded.Read(folder)
	if err != nil || len(states) != 1 || states[split].Version != state.Version {
		t.Errorf("Read: got %v, %v, want %v", states, err, state.Version)
	}
	missing := filepath.Join(folder, "missing")
	if states, err := embedded.Read(missing); err != nil || len(states) != 0 {
		t.Errorf("Read of no folder: got %v, %v, want nothing", states, err)
	}
	if diff := cmp.Diff(before, listing(t, folder)); diff != "" {
		t.Errorf("Read left a trace (-before +after):\n%s", diff)
	}
}

// listing returns all files of a folder with their modes.
func listing(t *testing.T, folder string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(folder, func(path string, entry os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		files[strings.TrimPrefix(path, folder)] = fmt.Sprint(info.Mode(), info.ModTime())
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func TestModes(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "switchback")
	written(t, folder, 1)
	if _, err := open(t, folder).Secret(t.Context(), "secret"); err != nil {
		t.Fatal(err)
	}
	for path, info := range listing(t, folder) {
		if !strings.HasPrefix(info, "drwx------") && !strings.HasPrefix(info, "-rw-------") {
			t.Errorf("%s: got %s, want that only the owner may read it", path, info)
		}
	}
}

// A folder that is a file is a mistake in the configuration, and no reason to forget changes.
func TestFolderIsFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	put(t, path, "")
	if _, err := embedded.Open(path); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("Open: got %v, want an error with the path", err)
	}
}
