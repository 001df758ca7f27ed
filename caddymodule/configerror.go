package caddymodule

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/switchback-proxy/switchback/splitter"
)

// configError says which part of a configuration is wrong, so that whoever knows where that part was written can add
// file and line.
type configError struct {
	path string // in the words of the JSON configuration: variants[1].weight; empty: the whole
	err  error
}

// Error names the part by its path in the JSON configuration.
func (e *configError) Error() string {
	if e.path == "" {
		return e.err.Error()
	}
	return e.path + ": " + e.err.Error()
}

// Unwrap returns what is wrong.
func (e *configError) Unwrap() error { return e.err }

// wrong returns a configError.
func wrong(path, format string, args ...any) error {
	return &configError{path: path, err: fmt.Errorf(format, args...)}
}

// within puts the path of a configError under parent; nil stays nil.
func within(parent string, err error) error {
	if err == nil {
		return nil
	}
	var inner *configError
	if !errors.As(err, &inner) || inner.path == "" {
		return &configError{path: parent, err: err}
	}
	return &configError{path: parent + "." + inner.path, err: inner.err}
}

// item is the path of an element of a list.
func item(list string, i int) string { return fmt.Sprintf("%s[%d]", list, i) }

// parents lists path and what contains it, innermost first, down to the empty path of the whole.
func parents(path string) []string {
	all := []string{path}
	for path != "" {
		path = path[:max(0, strings.LastIndexAny(path, ".["))]
		all = append(all, path)
	}
	return all
}

// quoted lists words for a message: "a", "b".
func quoted(words []string) string {
	q := make([]string, len(words))
	for i, w := range words {
		q[i] = fmt.Sprintf("%q", w)
	}
	return strings.Join(q, ", ")
}

// suggest returns a hint for a word that is none of the known ones: the nearest of them, if it is near, and all.
func suggest(word string, known []string) string {
	known = slices.Sorted(slices.Values(known))
	list := "known are " + strings.Join(known, ", ")
	nearest := slices.MinFunc(known, func(a, b string) int { return splitter.EditDistance(word, a) - splitter.EditDistance(word, b) })
	if splitter.EditDistance(word, nearest) > max(1, len(word)/3) {
		return list
	}
	return fmt.Sprintf("did you mean %q? %s", nearest, list)
}
