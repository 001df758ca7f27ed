// Command plots draws what docs/judge.md shows, from rollouts that are lived through in virtual time. The same release draws
// the same files, to the last byte, on machines of one architecture; with -check it says whether those in the folder are
// those, and exits with 1 if not. Names of files as arguments stand for those alone.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
)

// drawings lists all files.
var drawings = []struct {
	name string
	draw func() figure
}{
	{"evidence.svg", evidence},
	{"time.svg", timeToFailback},
	{"false.svg", falseFailbacks},
	{"cost.svg", costOfSettings},
}

func main() {
	dir := flag.String("dir", filepath.Join("docs", "judge"), "the folder to draw into")
	check := flag.Bool("check", false, "only say whether the files in the folder are up to date")
	flag.Parse()
	debug.SetGCPercent(400) // little memory, many short-lived values
	if err := run(*dir, *check, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(dir string, check bool, names []string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("make the folder to draw into: %w", err)
	}
	for _, d := range drawings {
		if len(names) > 0 && !slices.Contains(names, d.name) {
			continue
		}
		path := filepath.Join(dir, d.name)
		drawn := d.draw().svg()
		if !check {
			if err := os.WriteFile(path, drawn, 0o644); err != nil {
				return fmt.Errorf("write a drawing: %w", err)
			}
			continue
		}
		old, err := os.ReadFile(path)
		if err != nil {
			return fmt.Errorf("look at a drawing: %w", err)
		}
		if !bytes.Equal(old, drawn) {
			return fmt.Errorf("%s is not what is drawn now: `make plots` draws it anew", path)
		}
	}
	return nil
}
