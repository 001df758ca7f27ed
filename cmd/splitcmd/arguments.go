package splitcmd

import (
	"context"
	"errors"
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

// parseRename reads blue=azure, the one argument that is allowed behind the split's name. What comes before the split's
// name in a call that works is begin.
func parseRename(begin string, args []string) (from, to string, err error) {
	if len(args) == 2 {
		from, to, _ = strings.Cut(args[1], "=")
	}
	if from != "" && to != "" && !strings.Contains(to, "=") {
		return from, to, nil
	}
	call := fmt.Sprintf("%s %s OLD=NEW", begin, args[0])
	if len(args) == 1 {
		return "", "", fmt.Errorf("which variant, and what is it called from now on? %s", call)
	}
	return "", "", fmt.Errorf("%q does not say which variant gets which name: %s", strings.Join(args[1:], " "), call)
}

// splits lists the splits that the proxy runs. It never prints them as JSON, as they are not what was asked for.
func (s *session) splits(ctx context.Context) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	list, err := s.client.WithTap(nil).List(ctx)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, split := range list.Splits {
		names = append(names, split.Split)
	}
	return names, nil
}

// needSplit refuses arguments that do not begin with a split's name, and says which names there are.
func (s *session) needSplit(ctx context.Context, args []string) error {
	if len(args) == 0 {
		names, err := s.splits(ctx)
		if err != nil {
			return fmt.Errorf("which split? %w", err)
		}
		return whichOf(names)
	}
	if strings.Contains(args[0], "=") {
		return fmt.Errorf("the split's name comes first: %s NAME %s", s.cmd.CommandPath(), strings.Join(args, " "))
	}
	return nil
}

// whichOf asks for one of the splits.
func whichOf(names []string) error {
	if len(names) == 0 {
		return errors.New("which split? this proxy runs none")
	}
	return fmt.Errorf("which split? this proxy runs: %s", strings.Join(names, ", "))
}

// splitOrOnly returns the split that the arguments name, or the only one that there is.
func (s *session) splitOrOnly(ctx context.Context, args []string) (string, error) {
	if len(args) > 0 {
		return args[0], nil
	}
	names, err := s.splits(ctx)
	if err != nil {
		return "", fmt.Errorf("which split? %w", err)
	}
	if len(names) != 1 {
		return "", whichOf(names)
	}
	return names[0], nil
}

// second returns the second argument, if there is one.
func second(args []string) string {
	if len(args) < 2 {
		return ""
	}
	return args[1]
}
