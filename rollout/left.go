package rollout

import (
	"fmt"
	"time"

	"github.com/switchback-proxy/switchback/splitter"
)

// noteLeft remembers in n, whose change it is, that everybody was taken from a variant.
func noteLeft(n *splitter.State, variant string) {
	n.Left = splitter.Left{Variant: variant, Kind: n.Changed.Kind, Actor: n.Changed.Actor, At: n.Changed.At}
}

// leftOf returns what everybody was taken from since the last promotion; zero if from nothing. Of a State that a release
// wrote which does not note it, it is what the progress tells.
func leftOf(s *splitter.State) splitter.Left {
	p := s.Progress
	left := splitter.Left{Variant: s.Canary, At: p.Since}
	switch {
	case s.Left != (splitter.Left{}):
		return s.Left
	case p.Phase == splitter.PhaseFailedBack:
		left.Kind = KindFailback
	case p.Ended == splitter.EndAborted:
		left.Kind = KindAborted
	case p.Ended == splitter.EndRolledBack:
		left.Kind = KindRolledBack
	default:
		return splitter.Left{}
	}
	return left
}

// wasGivenUp reports whether the canary's latest trial was failed back or aborted, with a plan or by weights alone.
func wasGivenUp(s *splitter.State) bool {
	if s.Progress.Phase == splitter.PhaseFailedBack || s.Progress.Ended == splitter.EndAborted {
		return true
	}
	left := leftOf(s)
	wasStable := left.Kind == KindRolledBack || left.Kind == KindSwitchedBack
	return s.Canary != "" && left.Variant == s.Canary && !wasStable
}

// leftText says what everybody was taken from, by whom and when; empty if from nothing.
func leftText(s *splitter.State, now time.Time) string {
	left := leftOf(s)
	if left == (splitter.Left{}) {
		return ""
	}
	done := "given 0%"
	switch left.Kind {
	case KindAborted:
		done = "aborted"
	case KindFailback:
		done = "failed back"
	case KindRolledBack:
		done = "rolled back"
	case KindSwitchedBack:
		done = "switched back"
	}
	return fmt.Sprintf("%q was %s%s %s,", left.Variant, done, by(left.Actor), ago(left.At, now))
}
