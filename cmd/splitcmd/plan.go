package splitcmd

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/switchback-proxy/switchback/api/control"
	"github.com/switchback-proxy/switchback/splitter"
)

// plan is what an import would do to one split.
type plan struct {
	Split string `json:"split"`
	// Present is what the store has; null if nothing.
	Present *splitter.Version `json:"present"`
	// Imported is the version that the file has; the change gets a greater one.
	Imported splitter.Version `json:"imported"`
	// Changes says in words what would differ.
	Changes []string `json:"changes"`
}

// planImport shows what importing states would change.
func (s *session) planImport(ctx context.Context, states []*splitter.State) error {
	stored, _, err := s.export(ctx, nil)
	if err != nil {
		return err
	}
	plans := make([]plan, 0, len(states))
	for _, state := range states {
		i := slices.IndexFunc(stored.States, func(p *splitter.State) bool { return p.Split == state.Split })
		var present *splitter.State
		if i >= 0 {
			present = stored.States[i]
		}
		plans = append(plans, planOf(state, present))
	}
	if s.json {
		return s.setDocument(plans)
	}
	for _, p := range plans {
		s.printPlan(p)
	}
	return nil
}

func (s *session) printPlan(p plan) {
	what := "would be created"
	if p.Present != nil {
		what = "would be changed from " + control.FormatVersion(*p.Present)
	}
	fmt.Fprintf(s.out, "%s  %s  %s\n", s.look.paint(printable(p.Split), strong), printable(what),
		s.look.paint("exported at "+printable(control.FormatVersion(p.Imported)), subdued))
	for _, change := range p.Changes {
		fmt.Fprintf(s.out, "  %s\n", printable(change))
	}
}

// planOf compares a state to import with what the store has, which may be nothing.
func planOf(state, present *splitter.State) plan {
	p := plan{Split: state.Split, Imported: state.Version, Changes: []string{}}
	if present == nil {
		present = &splitter.State{}
	} else {
		p.Present = &present.Version
	}
	p.compare("stable", present.Stable, state.Stable)
	p.compare("canary", present.Canary, state.Canary)
	p.compare("shares", shares(present.Weights()), shares(state.Weights()))
	p.compare("phase", phaseOf(present), phaseOf(state))
	if present.Salt != "" && present.Salt != state.Salt {
		p.Changes = append(p.Changes, "salt: another one, so every user is placed anew")
	}
	if !bytes.Equal(compact(present.Policy), compact(state.Policy)) {
		p.Changes = append(p.Changes, "policy: the imported trial is judged by what it was exported with")
	}
	p.addKills(state, present)
	return p
}

// compare notes what differs in one respect.
func (p *plan) compare(what, from, to string) {
	if from != to {
		p.Changes = append(p.Changes, fmt.Sprintf("%s: %s → %s", what, orDash(from), orDash(to)))
	}
}

// addKills notes what would become of kills. The import lifts those that the imported state lists as lifted, and turns no
// kill on that the present one lists so.
func (p *plan) addKills(state, present *splitter.State) {
	for _, k := range state.Kills {
		switch {
		case isLifted(present, k):
			p.Changes = append(p.Changes, becomes(k, "not brought back, lifted here"))
		case !isOn(present, k):
			p.Changes = append(p.Changes, becomes(k, "on"))
		}
	}
	for _, k := range present.Kills {
		if isLifted(state, k) {
			p.Changes = append(p.Changes, becomes(k, "lifted"))
		}
	}
}

func isOn(s *splitter.State, k splitter.Kill) bool {
	return slices.ContainsFunc(s.Kills, func(o splitter.Kill) bool { return o.ID == k.ID })
}

func isLifted(s *splitter.State, k splitter.Kill) bool {
	return slices.ContainsFunc(s.Revived, func(r splitter.Revival) bool { return r.ID == k.ID })
}

// phaseOf returns a state's phase in words; none of what is not there.
func phaseOf(s *splitter.State) string {
	if s.Stable == "" {
		return ""
	}
	return phase(s.Progress).text
}

// compact returns JSON without spaces, as formatting is no difference; what is no JSON is returned as it is.
func compact(document json.RawMessage) []byte {
	var b bytes.Buffer
	if json.Compact(&b, document) != nil {
		return document
	}
	return b.Bytes()
}
