package embedded_test

import (
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/switchback-proxy/switchback/splitter"
	"github.com/switchback-proxy/switchback/store"
	"github.com/switchback-proxy/switchback/store/embedded"
	"github.com/switchback-proxy/switchback/store/storetest"
)

// nobody is a user that owns nothing.
const nobody = 65534

// asNobody runs f without root's power to write anywhere: with another user for the file system, on this thread only.
func asNobody(t *testing.T, f func()) {
	t.Helper()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if os.Getuid() != 0 {
		f()
		return
	}
	if _, err := unix.SetfsuidRetUid(nobody); err != nil {
		t.Fatal(err)
	}
	f()
	if _, err := unix.SetfsuidRetUid(0); err != nil {
		t.Fatal(err)
	}
}

// seal gives a folder and all in it other modes, and the old ones back when the test ends.
func seal(t *testing.T, root string, folders, files os.FileMode) {
	t.Helper()
	var paths []string
	modes := map[string]os.FileMode{}
	err := filepath.WalkDir(root, func(path string, entry os.DirEntry, err error) error {
		paths = append(paths, path)
		modes[path] = files
		if entry.IsDir() {
			modes[path] = folders
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	chmod := func(path string, mode os.FileMode) {
		if err := os.Chmod(path, mode); err != nil {
			t.Error(err)
		}
	}
	for _, path := range slices.Backward(paths) { // what is within first
		chmod(path, modes[path])
	}
	t.Cleanup(func() {
		for _, path := range paths {
			chmod(path, 0o700)
		}
	})
}

// wantInMemory wants a store that warns.
func wantInMemory(t *testing.T, s *embedded.Store) {
	t.Helper()
	if got := s.Describe().Warning; !strings.Contains(got, "memory only") || !strings.Contains(got, "denied") {
		t.Errorf("warning: got %q, want that it works in memory, and why", got)
	}
}

func TestReadOnlyDisk(t *testing.T) {
	folder := t.TempDir()
	first := written(t, folder, 2)
	if err := os.Chmod(filepath.Dir(folder), 0o755); err != nil { // the test's own folder is closed to others
		t.Fatal(err)
	}
	seal(t, folder, 0o555, 0o444)
	var s *embedded.Store
	var err error
	asNobody(t, func() { s, err = embedded.Open(folder) })
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	wantInMemory(t, s)
	wantLog(t, s, "change-2", "change-1")
	next, ev := storetest.Next(first, "change-3")
	if err := s.Swap(t.Context(), first.Version, next, ev); err != nil {
		t.Errorf("Swap: %v", err)
	}
	wantLog(t, s, "change-3", "change-2", "change-1")
	if secret, err := s.Secret(t.Context(), "secret"); err != nil || secret != "secret" {
		t.Errorf("Secret: got %q, %v", secret, err)
	}
	closeStore(t, s)
	states, err := embedded.Read(folder)
	if err != nil || states[split].Version != first.Version {
		t.Errorf("Read: got %v, %v, want the old state", states, err)
	}
}

// A folder that cannot even be read is as an empty one.
func TestUnreadableDisk(t *testing.T) {
	folder := t.TempDir()
	written(t, folder, 1)
	seal(t, folder, 0, 0)
	var s *embedded.Store
	var err error
	asNobody(t, func() { s, err = embedded.Open(folder) })
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	wantInMemory(t, s)
	state, ev := storetest.First(split, "first")
	if err := s.Swap(t.Context(), splitter.Version{}, state, ev); err != nil {
		t.Errorf("Swap: %v", err)
	}
	closeStore(t, s)
}

func TestConformanceInMemory(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "readonly")
	if err := os.Mkdir(folder, 0o555); err != nil {
		t.Fatal(err)
	}
	storetest.Run(t, func(t *testing.T) store.Store {
		var s *embedded.Store
		var err error
		asNobody(t, func() { s, err = embedded.Open(folder) })
		if err != nil {
			t.Fatalf("Open: %v", err)
		}
		wantInMemory(t, s)
		t.Cleanup(func() { closeStore(t, s) })
		return s
	})
}
