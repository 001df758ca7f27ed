package splitcmd

import (
	"slices"
	"strings"

	"github.com/switchback-proxy/switchback/api/control"
	"github.com/switchback-proxy/switchback/splitter"
)

// phase returns a trial's phase in words.
func phase(p splitter.Progress) cell {
	text := strings.ReplaceAll(p.Phase.String(), "_", " ")
	switch p.Phase {
	case splitter.PhaseTrial:
		return cell{text, doubt}
	case splitter.PhaseFailedBack:
		return cell{text, bad}
	}
	return cell{text, plain}
}

// killedCell says what of a split is killed.
func killedCell(s control.Status) cell {
	var names []string
	for _, k := range s.Kills {
		if k.Variant == "" {
			return cell{"all of it", bad}
		}
		if !slices.Contains(names, k.Variant) {
			names = append(names, k.Variant)
		}
	}
	if len(names) == 0 {
		return cell{"-", plain}
	}
	return cell{strings.Join(names, ", "), bad}
}

// yesNo returns yes, or no in the given colour.
func yesNo(yes bool, otherwise colour) cell {
	if yes {
		return cell{"yes", plain}
	}
	return cell{"no", otherwise}
}

// eventColour makes what hurts stand out in the audit log.
func eventColour(kind string) colour {
	switch kind {
	case "kill", "failback":
		return bad
	case "reconciled", "imported", "forgotten":
		return doubt
	case "revive":
		return good
	}
	return plain
}

// shift says what an event changed: the weights that differ, and the kills.
func shift(e control.Event) string {
	var parts []string
	switch from, to := shares(e.From), shares(e.To); {
	case from == "" && to != "":
		parts = append(parts, to)
	case from != to:
		parts = append(parts, from+" → "+to)
	}
	for _, k := range e.Kills {
		what := k.Variant
		if what == "" {
			what = "the whole split"
		}
		parts = append(parts, what+" ("+k.Level.String()+", "+k.ID+")")
	}
	return strings.Join(parts, "; ")
}
