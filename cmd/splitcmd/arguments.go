package splitcmd

import (
	"fmt"
	"strings"

	"github.com/switchback-proxy/switchback/splitter"
)

// parseWeights reads weights as the command line gives them: green=10%, one variant each.
func parseWeights(assignments []string) (map[string]splitter.Weight, error) {
	weights := make(map[string]splitter.Weight, len(assignments))
	for _, a := range assignments {
		variant, text, found := strings.Cut(a, "=")
		if !found || variant == "" {
			return nil, fmt.Errorf("weight %q: a variant and its share are needed, as in green=10%%", a)
		}
		if _, twice := weights[variant]; twice {
			return nil, fmt.Errorf("weight %q: variant %q is given twice", a, variant)
		}
		w, err := splitter.ParseWeight(text)
		if err != nil {
			return nil, fmt.Errorf("variant %q: %w", variant, err)
		}
		weights[variant] = w
	}
	return weights, nil
}

// parseRename reads blue=blue2.
func parseRename(assignment string) (from, to string, err error) {
	from, to, found := strings.Cut(assignment, "=")
	if !found || from == "" || to == "" {
		return "", "", fmt.Errorf("rename %q: the old and the new name are needed, as in blue=blue2", assignment)
	}
	return from, to, nil
}

// second returns the second argument, if there is one.
func second(args []string) string {
	if len(args) < 2 {
		return ""
	}
	return args[1]
}
