package rollout_test

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/switchback-proxy/switchback/rollout"
	"github.com/switchback-proxy/switchback/splitter"
	"github.com/switchback-proxy/switchback/store"
	"github.com/switchback-proxy/switchback/store/embedded"
)

func TestSnapshotIsReadAsWritten(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "made", "when", "needed")
	m := rollout.Snapshots{Dir: store.DirAt(dir)}
	if _, err := m.Recall("assistant"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("before: got %v, want fs.ErrNotExist", err)
	}
	want := rollout.Snapshot{State: created(t, assistant(90, 10)), Queued: []splitter.Kill{{ID: "k1", At: noon}}, SavedAt: noon}
	if err := m.Save("assistant", want); err != nil {
		t.Fatal(err)
	}
	got, err := m.Recall("assistant")
	if err != nil || encode(t, got) != encode(t, want) {
		t.Errorf("got %s, %v, want %s", encode(t, got), err, encode(t, want))
	}
	info, err := os.Stat(filepath.Join(dir, "assistant.json"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("file: got %v, %v, want mode 0600", info.Mode(), err)
	}
}

// What cannot be used is said and passed over: the instance boots blind.
func TestSpoiledSnapshot(t *testing.T) {
	other := assistant(90, 10)
	other.Name = "other"
	for name, tt := range map[string]struct {
		in   string
		want string
	}{
		"cut off":            {`{"state":{"schema":1`, "not a whole JSON document"},
		"no object":          {`[]`, `snapshot of "assistant"`},
		"invalid state":      {`{"state":{"schema":1,"split":"assistant"}}`, "is invalid"},
		"another's state":    {encode(t, rollout.Snapshot{State: created(t, other)}), `it holds the state of "other"`},
		"kill without an id": {`{"queued":[{"reason":"?"}]}`, "could never be lifted"},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, s *embedded.Store) {
				dir := t.TempDir()
				if err := os.WriteFile(filepath.Join(dir, "assistant.json"), []byte(tt.in), 0o600); err != nil {
					t.Fatal(err)
				}
				m := rollout.Snapshots{Dir: store.DirAt(dir)}
				if got, err := m.Recall("assistant"); err == nil || !strings.Contains(err.Error(), tt.want) {
					t.Errorf("got %+v, %v, want an error with %q", got, err, tt.want)
				}
				p := newProxy(t, s, "proxy-1", assistant(99, 1), func(o *rollout.Options) { o.Memory = m })
				p.wants(t, "blind", -1, true)
				p.mustStart(t)
				elapse(time.Second)
				p.wants(t, "started", 1, true)
				if _, err := m.Recall("assistant"); err != nil {
					t.Errorf("after the start: %v", err)
				}
			})
		})
	}
}

// FuzzRecall holds that whatever is on disk is refused, or can be decided by and saved.
func FuzzRecall(f *testing.F) {
	f.Add([]byte(`{"state":null,"queued":[{"id":"k","level":"cut"}],"saved_at":"2026-11-22T12:00:00Z"}`))
	if doc, err := json.Marshal(rollout.Snapshot{State: created(f, assistant(90, 10))}); err == nil {
		f.Add(doc)
	}
	f.Fuzz(func(t *testing.T, doc []byte) {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "assistant.json"), doc, 0o600); err != nil {
			t.Fatal(err)
		}
		m := rollout.Snapshots{Dir: store.DirAt(dir)}
		c := rollout.New(rollout.Options{Instance: "proxy-1", Memory: m})
		at, err := c.Attach(assistant(90, 10), "first")
		if err != nil {
			t.Fatalf("Attach: %v", err)
		}
		at.View().Table.Decide(splitter.Request{Key: "somebody"})
		snap, err := m.Recall("assistant")
		if err != nil {
			return
		}
		if err := m.Save("assistant", snap); err != nil {
			t.Fatalf("Save of what was recalled: %v", err)
		}
		if again, err := m.Recall("assistant"); err != nil || encode(t, again) != encode(t, snap) {
			t.Fatalf("recalled again: got %s, %v, want %s", encode(t, again), err, encode(t, snap))
		}
	})
}
