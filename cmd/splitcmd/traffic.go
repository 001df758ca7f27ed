package splitcmd

import (
	"fmt"
	"strings"

	"github.com/switchback-proxy/switchback/api/control"
)

// printTraffic shows whether traffic goes where the weights say, and who decides otherwise.
func (s *session) printTraffic(status control.Status) {
	for _, share := range status.Shares {
		if share.Requests > 0 || share.Users > 0 { // else it is not known what is due
			s.say("share", shareInWords(share), plain)
		}
	}
	if status.ShareWarning != "" {
		s.say("WARNING", status.ShareWarning, bad)
	}
	for _, sentence := range status.Drift {
		s.say("drift", sentence, doubt)
	}
}

// shareInWords says what an arm got, as far as it is known.
func shareInWords(share control.Share) string {
	var got []string
	if share.Requests > 0 {
		got = append(got, fmt.Sprintf("%.3g%% of requests (%d)", share.RequestShare*100, share.Requests))
	}
	if share.Users > 0 {
		got = append(got, fmt.Sprintf("%.3g%% of users (%d)", share.UserShare*100, share.Users))
	}
	return fmt.Sprintf("%s, by its weight %s: %s", share.Variant, share.Weight, strings.Join(got, ", "))
}

// printDrilled shows the drill that is on, or how the latest one went, and which variants are gone.
func (s *session) printDrilled(status control.Status) {
	switch d := status.Drill; {
	case d != nil:
		s.say("drill", fmt.Sprintf("%s served by %s until %s", plural(d.Users, "test user"), d.Variant, s.look.time(d.Until)), doubt)
	case !status.DrillFailed.At.IsZero():
		s.say("drilled", s.failedDrill(status), bad)
	case !status.DrilledAt.IsZero():
		s.say("drilled", "a failback was last rehearsed at "+s.look.time(status.DrilledAt), plain)
	}
	if len(status.Retired) > 0 {
		s.say("retired", strings.Join(status.Retired, ", "), plain)
	}
}

// failedDrill says how the latest drill failed, and when one last passed.
func (s *session) failedDrill(status control.Status) string {
	f := status.DrillFailed
	text := fmt.Sprintf("the latest rehearsal of a failback, by %s at %s, failed", orDash(f.By), s.look.time(f.At))
	if f.Step != "" {
		text += fmt.Sprintf(" at %q: %s", f.Step, orDash(f.Why))
	}
	if status.DrilledAt.IsZero() {
		return text + "; none has passed yet"
	}
	return text + "; the last that passed was at " + s.look.time(status.DrilledAt)
}
