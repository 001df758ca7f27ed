package store_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/switchback-proxy/switchback/store"
)

// openDir opens a Dir in a folder.
func openDir(t *testing.T, folder string) *store.Dir {
	t.Helper()
	d, err := store.OpenDir(folder)
	if err != nil {
		t.Fatalf("OpenDir: %v", err)
	}
	return d
}

// save saves a document.
func save(t *testing.T, d *store.Dir, name, doc string) {
	t.Helper()
	if err := d.Save(name, []byte(doc)); err != nil {
		t.Fatalf("Save(%q): %v", name, err)
	}
}

// write writes a file that a crash, or somebody else, left.
func write(t *testing.T, folder, name, data string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(folder, name), []byte(data), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestDir(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "a", "b")
	d := openDir(t, folder)
	save(t, d, "one", `{"n":1}`)
	save(t, d, "one", `{"n":2}`)
	save(t, d, "another", `[]`)
	if got, err := d.Load("one"); err != nil || string(got) != `{"n":2}` {
		t.Errorf("Load: got %s, %v, want the second document", got, err)
	}
	if got, err := d.List(); err != nil || cmp.Diff([]string{"another", "one"}, got) != "" {
		t.Errorf("List: got %v, %v, want another and one", got, err)
	}
	for range 2 {
		if err := d.Remove("one"); err != nil {
			t.Errorf("Remove: %v", err)
		}
	}
	if _, err := d.Load("one"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Load after Remove: got %v, want fs.ErrNotExist", err)
	}
}

func TestDirModes(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "states")
	save(t, openDir(t, folder), "one", "{}")
	for path, want := range map[string]fs.FileMode{folder: 0o700 | fs.ModeDir, filepath.Join(folder, "one.json"): 0o600} {
		info, err := os.Stat(path)
		if err != nil || info.Mode() != want {
			t.Errorf("%s: got %v, %v, want mode %v", path, info.Mode(), err, want)
		}
	}
}

func TestDirNames(t *testing.T) {
	folder := t.TempDir()
	d := openDir(t, filepath.Join(folder, "states"))
	for _, name := range []string{"", ".", "..", "../up", "a/b", "/etc/passwd", `a\b`, "a.b", "A", "a\x00", strings.Repeat("a", 64)} {
		_, loadErr := d.Load(name)
		for what, err := range map[string]error{"Save": d.Save(name, []byte("{}")), "Load": loadErr, "Remove": d.Remove(name)} {
			if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("%q", name)) {
				t.Errorf("%s(%q): got %v, want an error that quotes the name", what, name, err)
			}
		}
	}
	if left, err := os.ReadDir(folder); err != nil || len(left) != 1 {
		t.Errorf("outside of the folder: got %v, %v, want nothing", left, err)
	}
}

// A crash leaves a temporary file at most; what was there before stays, and the next start cleans up.
func TestDirAfterCrash(t *testing.T) {
	folder := t.TempDir()
	save(t, openDir(t, folder), "one", `{"whole":true}`)
	write(t, folder, "one.json.tmp-123", `{"who`)
	write(t, folder, "two.json.tmp-456", ``)
	write(t, folder, "README.txt", "not ours")
	d := openDir(t, folder)
	if got, err := d.Load("one"); err != nil || string(got) != `{"whole":true}` {
		t.Errorf("Load: got %s, %v, want what was saved", got, err)
	}
	if got, err := d.List(); err != nil || cmp.Diff([]string{"one"}, got) != "" {
		t.Errorf("List: got %v, %v, want one", got, err)
	}
	left, err := filepath.Glob(filepath.Join(folder, "*"))
	want := []string{filepath.Join(folder, "README.txt"), filepath.Join(folder, "one.json")}
	if diff := cmp.Diff(want, left); err != nil || diff != "" {
		t.Errorf("files: got %v, %v, want %v", left, err, want)
	}
}

func TestDirTornFile(t *testing.T) {
	folder := t.TempDir()
	d := openDir(t, folder)
	for _, torn := range []string{"", `{"schema":1,"spl`, "\x00\x00\x00\x00", `{} {}`} {
		write(t, folder, "one.json", torn)
		_, err := d.Load("one")
		if !errors.Is(err, store.ErrCorrupt) || !strings.Contains(err.Error(), filepath.Join(folder, "one.json")) {
			t.Errorf("Load of %q: got %v, want ErrCorrupt with the file", torn, err)
		}
	}
}

// A Dir that only reads touches nothing.
func TestDirAt(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "states")
	d := store.DirAt(folder)
	if got, err := d.List(); err != nil || len(got) != 0 {
		t.Errorf("List: got %v, %v, want nothing", got, err)
	}
	if _, err := d.Load("one"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Load: got %v, want fs.ErrNotExist", err)
	}
	if _, err := os.Stat(folder); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the folder: got %v, want that it is not there", err)
	}
}

// Readers see whole documents while others write.
func TestDirAtOnce(t *testing.T) {
	d := openDir(t, t.TempDir())
	save(t, d, "one", `{}`)
	var all sync.WaitGroup
	for w := range 4 {
		all.Go(func() {
			for i := range 20 {
				if err := d.Save("one", fmt.Appendf(nil, `{"w":%d,"pad":%q}`, w, strings.Repeat("x", 1000*i))); err != nil {
					t.Errorf("Save: %v", err)
				}
				if _, err := d.Load("one"); err != nil {
					t.Errorf("Load: %v", err)
				}
			}
		})
	}
	all.Wait()
}

func Example() {
	folder, err := os.MkdirTemp("", "switchback")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(folder)
	dir, err := store.OpenDir(folder)
	if err != nil {
		panic(err)
	}
	if err := dir.Save("assistant", []byte(`{"revision":7}`)); err != nil {
		panic(err)
	}
	names, _ := dir.List()
	doc, _ := dir.Load("assistant")
	fmt.Println(names, string(doc))
	fmt.Println(dir.Save("../assistant", doc))
	// Output:
	// [assistant] {"revision":7}
	// name "../assistant": must match [a-z0-9][a-z0-9_-]{0,62}
}
