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
	reason = fmt.Sprintf("%s; chance does this to at most one harmless canary in %s", reason, odds(v.Evidence))
	if v.FewUsers != nil {
		reason += "; " + v.FewUsers.String()
	}
	return reason
}

// passing says that nothing speaks against a canary.
func passing(v *Verdict) string {
	s := v.named("errors")
	if s.Limit > 0 || s.IsMean() {
		return "the canary keeps its limits: " + s.compare()
	}
	return "the canary keeps up with stable: " + s.compare()
}

// mounting says what speaks against a canary, and how far it is to the alarm.
func mounting(v *Verdict) string {
	return fmt.Sprintf("%s; %s of the way to a failback", v.leading().compare(), wholePercent(v.Toward))
}

// muffling says that evidence counts for less, as stable burst itself.
func muffling(s StreamVerdict, toward float64) string {
	return fmt.Sprintf("%s; stable burst itself in the last days, so that more is needed: %s of the way to a failback",
		s.compare(), wholePercent(toward))
}

// heldByFew says that an alarm rests on one user.
func (v *Verdict) heldByFew(compared bool) string {
	out := "a kill"
	if compared {
		out = "`few_users failback` or a kill"
	}
	return fmt.Sprintf("%s; but without one user, who makes %s of the canary's requests, it is not enough: version and user "+
		"cannot be told apart, holding; %s is the way out", v.leading().compare(), wholePercent(v.FewUsers.Share), out)
}

// String says it in a sentence.
func (f FewUsers) String() string {
	return fmt.Sprintf("one user makes %s of the canary's %s requests: version and user cannot be told apart",
		wholePercent(f.Share), count(f.Requests))
}

func tooFew(n float64, least int) string {
	return fmt.Sprintf("%s of the canary judged so far, %d are needed", requests(n), least)
}

func after(d time.Duration) string {
	if d <= 0 {
		return ""
	}
	return ", " + Duration(d).String() + " into the trial"
}

// sharedWith says that both arms are far above what the baseline was before.
func sharedWith(s StreamVerdict, past float64) string {
	name := s.Stream
	if s.Slow > 0 {
		name += " (over " + rounded(time.Duration(s.Slow)) + ")"
	}
	return fmt.Sprintf("%s: %s of the canary's requests lately and %s of stable's, which had %s in the last hour: a shared cause, holding",
		name, s.CanaryLately.told(), s.BaselineLately.told(), percent(round2(past)))
}

// sharedLimit says that the canary is over a limit, and the baseline near it.
func sharedLimit(s StreamVerdict) string {
	return fmt.Sprintf("%s %s: the canary is at %s lately and stable at %s: a shared cause, holding",
		s.Stream, s.allowed(), s.CanaryLately.told(), s.BaselineLately.told())
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

// Latest returns both arms' rates of the last minute, or of the whole trial where that has too few requests to be told: the
// numbers that reasons have.
func (s StreamVerdict) Latest() (canary, baseline Rate) {
	return latest(s.CanaryLately, s.Canary), latest(s.BaselineLately, s.Baseline)
}

// Over says which requests of the canary the reason of a pass has numbers of, as Latest chooses them.
func (v *Verdict) Over() string {
	if s := v.named("errors"); latest(s.CanaryLately, s.Canary) == s.CanaryLately {
		return "lately"
	}
	return "in the whole trial"
}

// compare says how both arms do.
func (s StreamVerdict) compare() string {
	if s.IsMean() {
		return s.alone()
	}
	_, stable := s.Latest()
	text := fmt.Sprintf("%s, stable %s of %s", s.alone(), stable.told(), count(stable.N))
	if s.Slow > 0 && s.Limit == 0 {
		text += " over " + rounded(time.Duration(s.Slow))
	}
	return text
}

// alone says how the canary does.
func (s StreamVerdict) alone() string {
	canary, _ := s.Latest()
	switch {
	case s.IsMean():
		return fmt.Sprintf("%s: the canary seems to take more than %s on average, by %s", s.Stream, s.Slow, requests(canary.N))
	case s.Limit > 0:
		return fmt.Sprintf("%s %s: canary %s of %s", s.Stream, s.allowed(), canary.told(), requests(canary.N))
	case s.Slow > 0: // the canary's requests are slow from the next bucket on
		slow := BucketStart(int(BucketOf(time.Duration(s.Slow))) + 1)
		return fmt.Sprintf("%s: canary %s of %s over %s", s.Stream, canary.told(), requests(canary.N), rounded(slow))
	}
	return fmt.Sprintf("%s: canary %s of %s", s.Stream, canary.told(), requests(canary.N))
}

// IsMean reports whether this is the limit on the mean, which counts no bad requests.
func (s StreamVerdict) IsMean() bool { return s.Stream == limitMean.String() }

// allowed says what a limit allows.
func (s StreamVerdict) allowed() string {
	if s.Slow > 0 {
		return fmt.Sprintf("%s over %s", percent(round2(s.Limit)), rounded(time.Duration(s.Slow)))
	}
	return percent(s.Limit)
}

// told says a rate in words, no more exactly than its number of requests is good for.
func (r Rate) told() string {
	switch {
	case r.N < 100:
		return wholePercent(r.Share())
	case r.N < 1000:
		return percent(math.Round(r.Share()*1e3) / 1e3)
	}
	return percent(round2(r.Share()))
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

// requests says a number of requests in words.
func requests(n float64) string {
	if c := count(n); c != "1" {
		return c + " requests"
	}
	return "1 request"
}

// odds says one in how many.
func odds(evidence float64) string {
	if evidence >= 1e6 {
		return "a million"
	}
	return count(evidence)
}
