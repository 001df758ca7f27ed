package splitcmd

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/switchback-proxy/switchback/api/control"
	"github.com/switchback-proxy/switchback/splitter"
)

// readExport returns the states that a file ("-": the standard input) holds, or of these only some splits'.
func readExport(file string, stdin io.Reader, only []string) ([]*splitter.State, error) {
	data, err := readAll(file, stdin)
	if err != nil {
		return nil, fmt.Errorf("reading what to import: %w", err)
	}
	document, err := control.ParseExport(data)
	if err != nil {
		return nil, fmt.Errorf("%q: %w", file, err)
	}
	return choose(document.States, only)
}

// readAll reads a file, or the standard input if it is called "-".
func readAll(file string, stdin io.Reader) ([]byte, error) {
	if file == "-" {
		return io.ReadAll(stdin)
	}
	return os.ReadFile(file)
}

// choose returns the states of the named splits, or all if none is named.
func choose(states []*splitter.State, only []string) ([]*splitter.State, error) {
	for _, name := range only {
		if !slices.Contains(splitsOf(states), name) {
			return nil, fmt.Errorf("--only %s: the file holds no state of it, but of: %s", name, strings.Join(splitsOf(states), ", "))
		}
	}
	if len(only) == 0 {
		return states, nil
	}
	return slices.DeleteFunc(states, func(s *splitter.State) bool { return !slices.Contains(only, s.Split) }), nil
}

// splitsOf names the splits of states.
func splitsOf(states []*splitter.State) []string {
	names := make([]string, len(states))
	for i, s := range states {
		names[i] = s.Split
	}
	return names
}
