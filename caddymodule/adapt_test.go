package caddymodule

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2/caddyconfig"
	_ "github.com/caddyserver/caddy/v2/modules/standard"
	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write what the adapter says into testdata")

const goldenRule = "----------\n"

// adapt turns a Caddyfile into indented JSON, or into its error.
func adapt(t *testing.T, source string) (string, error) {
	t.Helper()
	adapter := caddyconfig.GetAdapter("caddyfile")
	doc, warnings, err := adapter.Adapt([]byte(source), map[string]any{"filename": "Caddyfile"})
	if err != nil {
		return "", err
	}
	for _, w := range warnings {
		if !strings.Contains(w.Message, "not formatted") {
			t.Errorf("warning: %v", w)
		}
	}
	var indented bytes.Buffer
	if err := json.Indent(&indented, doc, "", "\t"); err != nil {
		t.Fatal(err)
	}
	return indented.String(), nil
}

// TestAdapt compares what the Caddyfile adapter says with testdata: JSON, or an error. Run it with -update to write
// them anew, and read the difference.
func TestAdapt(t *testing.T) {
	files, err := filepath.Glob("testdata/*.caddyfiletest")
	if err != nil || len(files) == 0 {
		t.Fatalf("no goldens: %v", err)
	}
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".caddyfiletest"), func(t *testing.T) {
			golden, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			source, want, _ := strings.Cut(string(golden), goldenRule)
			got, err := adapt(t, source)
			if err != nil {
				got = "error: " + strings.ReplaceAll(err.Error(), here+string(filepath.Separator), "")
			}
			got += "\n"
			if *update {
				if err := os.WriteFile(file, []byte(source+goldenRule+got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("want -, got +:\n%s", diff)
			}
			isError := strings.HasPrefix(filepath.Base(file), "error_")
			if isError != (err != nil) {
				t.Errorf("got error %v, want one: %t", err, isError)
			}
		})
	}
}

// TestAdaptIsDeterministic adapts one Caddyfile with everything in it many times: what differs would be reloaded for
// nothing.
func TestAdaptIsDeterministic(t *testing.T) {
	source := readExample(t)
	want, err := adapt(t, source)
	if err != nil {
		t.Fatal(err)
	}
	for range 50 {
		got, err := adapt(t, source)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("first -, later +:\n%s", diff)
		}
	}
}
