package caddymodule

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
)

// expander replaces the placeholders that are known while a configuration is loaded, such as {env.NAME}, {file.PATH}
// and {system.hostname}. Unlike Caddy's own replacer it never puts the text around a placeholder, nor a value, into
// an error: the text may be a secret.
type expander struct{ repl *caddy.Replacer }

func newExpander() expander { return expander{caddy.NewReplacer()} }

// expand returns s with its placeholders replaced. One that is unknown or empty is an error.
func (e expander) expand(s string) (string, error) {
	return e.repl.ReplaceFunc(s, func(name string, value any) (any, error) {
		text := caddy.ToString(value)
		switch {
		case text != "":
			return text, nil
		case isLoadTime(name):
			return nil, fmt.Errorf("placeholder {%s} is empty or not set", name)
		default:
			return nil, errUnknownPlaceholder
		}
	})
}

var errUnknownPlaceholder = errors.New("it contains a placeholder that means nothing while the configuration is " +
	"loaded; known are {env.NAME}, {file.PATH} and {system.hostname}, and \\{ is a plain brace")

// expandLater replaces the placeholders of what is kept as it is written and used while the process runs. What was
// expandable at load and is not any more becomes empty, so that nothing is asked by half a URL.
func expandLater(s string) string {
	text, err := newExpander().expand(s)
	if err != nil {
		return ""
	}
	return text
}

// all expands what the fields point to; an error names the field.
func (e expander) all(fields map[string]*string) error {
	for _, path := range sortedKeys(fields) {
		s, err := e.expand(*fields[path])
		if err != nil {
			return &configError{path: path, err: err}
		}
		*fields[path] = s
	}
	return nil
}

// isLoadTime reports whether a placeholder is about this process, not about a request, so that it has one value for
// everybody.
func isLoadTime(name string) bool {
	for _, prefix := range []string{"env.", "file.", "system.", "time."} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}

// hasPlaceholder reports whether s may contain placeholders, so that its value is known only after expansion.
func hasPlaceholder(s string) bool { return strings.Contains(s, "{") }

// sortedKeys returns a map's keys in order, so that of several errors it is always the same one that is reported.
func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
