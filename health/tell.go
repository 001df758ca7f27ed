package health

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"
)

// failing says why a canary is failed back.
func failing(v *Verdict) string {
	s := v.leading()
	reason := s.compare()
	if v.NoBaseline {
		reason = s.alone() + "; no traffic on stable: a shared outage cannot be told apart"
	}
	return fmt.Sprintf("%s; chance does this to at most one harmless canary in %s", reason, count(v.Evidence))
}

// passing says that nothing speaks against a canary.
func passing(v *Verdict) string {
	return fmt.Sprintf("the canary keeps up with stable: %s", v.named("errors").compare())
}

// mounting says what speaks against a canary, and how far it is to the alarm.
func mounting(v *Verdict) string {
	return fmt.Sprintf("%s; %s of the way to a failback", v.leading().compare(), wholePercent(v.Toward))
}

// heldByFew says that an alarm rests on one user.
func (v *Verdict) heldByFew() string {
	return fmt.Sprintf("%s; but without one user, who makes %s of the canary's requests, it is not enough: version and user "+
		"cannot be told apart, holding; `few_users failback` or a kill is the way out", v.leading().compare(), wholePercent(v.FewUsers.Share))
}

// String says it in a sentence.
func (f FewUsers) String() string {
	return fmt.Sprintf("one user makes %s of the canary's %s requests: version and user cannot be told apart",
		wholePercent(f.Share), count(f.Requests))
}

func tooFew(n float64, least int) string {
	return fmt.Sprintf("%s of the canary's requests are judged, %d are needed", count(n), least)
}

func after(d time.Duration) string {
	if d <= 0 {
		return ""
	}
	return ", " + Duration(d).String() + " into the trial"
}

// sharedWith says that both arms are far above what the baseline was before.
func sharedWith(s StreamVerdict, past float64) string {
	return fmt.Sprintf("%s: %s of the canary's requests lately and %s of stable's, which had %s before: a shared cause, holding",
		s.Stream, percent(round2(s.CanaryLately.Share())), percent(round2(s.BaselineLately.Share())), percent(round2(past)))
}

// sharedLimit says that the canary is over a limit, and the baseline near it.
func sharedLimit(s StreamVerdict) string {
	return fmt.Sprintf("%s %s: the canary is at %s lately and stable at %s: a shared cause, holding",
		s.Stream, s.allowed(), percent(round2(s.CanaryLately.Share())), percent(round2(s.BaselineLately.Share())))
}

// leading returns the strongest stream.
func (v *Verdict) leading() StreamVerdict {
	if len(v.Streams) == 0 {
		return StreamVerdict{}
	}
	return v.Streams[0]
}

// named returns the stream of a name, or the strongest.
func (v *Verdict) named(stream string) StreamVerdict {
	i := slices.IndexFunc(v.Streams, func(s StreamVerdict) bool { return s.Stream == stream })
	if i < 0 {
		return v.leading()
	}
	return v.Streams[i]
}

// latest returns a rate of the last minute, or of the whole trial if that has too few requests to be told.
func latest(lately, all Rate) Rate {
	if lately.N < 5 {
		return all
	}
	return lately
}

// compare says how both arms do.
func (s StreamVerdict) compare() string {
	return fmt.Sprintf("%s, stable %s", s.alone(), told(latest(s.BaselineLately, s.Baseline), s.Limit == 0 && s.Slow > 0, s.Slow))
}

// alone says how the canary does.
func (s StreamVerdict) alone() string {
	name := s.Stream
	if s.Limit > 0 {
		name += " " + s.allowed()
	}
	return fmt.Sprintf("%s: canary %s", name, told(latest(s.CanaryLately, s.Canary), s.Slow > 0, s.Slow))
}

// allowed says what a limit allows.
func (s StreamVerdict) allowed() string {
	if s.Slow > 0 {
		return fmt.Sprintf("%s over %s", percent(round2(s.Limit)), rounded(time.Duration(s.Slow)))
	}
	return percent(s.Limit)
}

// told says a rate in words.
func told(r Rate, slow bool, than Duration) string {
	of := fmt.Sprintf("%s of %s", percent(round2(r.Share())), count(r.N))
	if slow {
		of += " over " + rounded(time.Duration(than))
	}
	return of
}

// round2 rounds a share to two digits of a percent.
func round2(share float64) float64 { return math.Round(share*1e4) / 1e4 }

// wholePercent writes a share in whole percent.
func wholePercent(share float64) string { return percent(math.Round(share*100) / 100) }

// count writes a number of requests for people.
func count(n float64) string {
	if n >= 1e7 {
		return strconv.FormatFloat(n, 'g', 2, 64)
	}
	return strconv.FormatFloat(math.Round(n), 'f', 0, 64)
}
