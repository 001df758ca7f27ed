package splitcmd

import (
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/switchback-proxy/switchback/splitter"
)

// exportTo exports the recorded states to a file and returns what the command said.
func exportTo(t *testing.T, path string, flags ...string) string {
	t.Helper()
	api := &replay{t: t, answers: map[string]string{"GET /splits/v1/-/export": "export"}}
	server := httptest.NewServer(api)
	defer server.Close()
	return run(api, server.Listener.Addr().String(), append([]string{"export", "-o", path}, flags...))
}

func TestExportReplacesAFileAsAWhole(t *testing.T) {
	path := writeFile(t, "splits.json", strings.Repeat("an older and much longer export\n", 1000))
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	said := exportTo(t, path)
	if want := "> GET /splits/v1/-/export\n1 split in " + path + "\n"; said != want {
		t.Errorf("said %q, want %q", said, want)
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := os.ReadFile(filepath.Join(recorded, "export.http"))
	if err != nil {
		t.Fatal(err)
	}
	_, want, _ := strings.Cut(string(answer), "\n\n")
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("the file is not what the API said (-want +got):\n%s", diff)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := info.Mode().Perm(), os.FileMode(0o600); got != want {
		t.Errorf("mode = %v, want %v", got, want)
	}
	if states, err := readExport(path, nil, nil); err != nil || len(states) != 1 {
		t.Errorf("what was exported is read as %v, %v, want one state", states, err)
	}
}

func TestExportLeavesNothingBehindIfItFails(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "splits.json")
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	if said := exportTo(t, folder); !strings.Contains(said, "[exit 1]") {
		t.Errorf("a folder was replaced: %s", said)
	}
	entries, err := os.ReadDir(filepath.Dir(folder))
	if err != nil || len(entries) != 1 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
}

func TestAStateDoesNotDifferFromItself(t *testing.T) {
	states, err := readExport("testdata/splits.json", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, state := range states {
		if p := planOf(state, state); len(p.Changes) > 0 {
			t.Errorf("%s differs from itself: %q", state.Split, p.Changes)
		}
	}
}

func TestThePlanTellsOfKills(t *testing.T) {
	kills := func(ids ...string) (kills []splitter.Kill) {
		for _, id := range ids {
			kills = append(kills, splitter.Kill{ID: id})
		}
		return kills
	}
	lifted := []splitter.Revival{{ID: "k1"}}
	tests := []struct {
		name              string
		imported, present splitter.State
		want              []string
	}{
		{"on in the file", splitter.State{Kills: kills("k1")}, splitter.State{}, []string{"kill of the whole split (k1): on"}},
		{"on in both", splitter.State{Kills: kills("k1")}, splitter.State{Kills: kills("k1")}, []string{}},
		{"on in the store", splitter.State{}, splitter.State{Kills: kills("k1")}, []string{}},
		{"lifted in the store", splitter.State{Kills: kills("k1")}, splitter.State{Revived: lifted},
			[]string{"kill of the whole split (k1): not brought back, lifted here"}},
		{"lifted in the file", splitter.State{Revived: lifted}, splitter.State{Kills: kills("k1", "k2")},
			[]string{"kill of the whole split (k1): lifted"}},
	}
	for _, tt := range tests {
		if diff := cmp.Diff(tt.want, planOf(&tt.imported, &tt.present).Changes); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}
