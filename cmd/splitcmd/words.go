package splitcmd

import (
	"cmp"
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
	case "kill", "failback", "failback_held", "store_lost":
		return bad
	case "reconciled", "suspected", "probe", kindImported, "forgotten", "paused", "aborted", "rolled_back", "switched_back",
		"waiting", "no_traffic", "drift", "share":
		return doubt
	case "revive", "promoted", "store_back":
		return good
	}
	return plain
}

// kindImported is the kind of the event that an import is.
const kindImported = "imported"

// shift says what an event changed: the weights that differ, and the kills.
func shift(e control.Event) string {
	var parts []string
	if weights := moved(e); weights != "" {
		parts = append(parts, weights)
	}
	if e.Kind == kindImported {
		return strings.Join(append(parts, turnedOn(e)...), "; ")
	}
	for _, k := range e.Kills {
		parts = append(parts, whatOf(k)+" ("+manner(k)+", "+k.ID+")")
	}
	return strings.Join(parts, "; ")
}

// moved says which weights an event changed, if it did.
func moved(e control.Event) string {
	switch from, to := shares(e.From), shares(e.To); {
	case from == "":
		return to
	case from != to:
		return from + " → " + to
	}
	return ""
}

// turnedOn says which kills an import has turned on.
func turnedOn(e control.Event) []string {
	var kills []string
	for _, k := range e.Kills {
		kills = append(kills, becomes(k, "on"))
	}
	return kills
}

// becomes says what becomes of a kill in an import.
func becomes(k splitter.Kill, what string) string {
	return "kill of " + whatOf(k) + " (" + k.ID + "): " + what
}

// whatOf says what a kill turns off.
func whatOf(k splitter.Kill) string { return cmp.Or(k.Variant, "the whole split") }
