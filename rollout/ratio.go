package rollout

import (
	"fmt"
	"math"

	"github.com/switchback-proxy/switchback/health"
	"github.com/switchback-proxy/switchback/splitter"
)

const (
	// ratioAlpha is how often at most it is said of a trial's users that they are not shared as they should be when they
	// are, however often it is looked at.
	ratioAlpha = 1e-4
	// ratioLeast is how many users each arm must be due before anything is said: of fewer, the normal approximation is not
	// true enough so far out.
	ratioLeast = 100
	// ratioScale is ρ below: the bound is tightest at a variance of some twenty times as much.
	ratioScale = 10
)

// ratioWarning says that users are not shared as the weights say; empty unless that is sure.
func ratioWarning(s *splitter.State, stable, canary uint64) string {
	w := s.Weights()
	due := float64(w[s.Canary]) / float64(w[s.Canary]+w[s.Stable])
	off, isOff := sampleRatio(stable, canary, due, ratioAlpha)
	if !isOff {
		return ""
	}
	word := "more"
	if off < 0 {
		word = "fewer"
	}
	all := stable + canary
	return fmt.Sprintf("%s has %d of %d users (%.3g%%), which is %s than its share of %.3g%% by %.1f standard errors: some are "+
		"not placed by this state (look at members with another file or state), are counted twice or not at all, or leave; "+
		"comparisons of the two may be wrong", s.Canary, canary, all, 100*float64(canary)/float64(all), word, 100*due, math.Abs(off))
}

// sampleRatio tests whether users are shared as they should be: whether the canary's are a share due of both arms'. It
// returns by how many standard errors they are more (or, negative, fewer), and whether that can be no chance. With
// nothing wrong it says so with a probability of at most alpha in a whole trial.
//
// Users are tested, not requests: each is placed independently by the hash of the key, so that of n users Binomial(n, due)
// are the canary's, whoever asks how often. Requests come in clusters, and one heavy user would be a mismatch. (Fabijan et
// al., "Diagnosing sample ratio mismatch in online controlled experiments", KDD 2019.)
//
// With p = due, q = 1 - p and counts of relative standard error e beyond 64 users, D = q·canary - p·stable has the mean 0
// and the variance n·p·q + k·(n·p·q·e)², k being how many of the two counts are estimates: the binomial one, and that of two
// independent errors of q·(p·n)·e and p·(q·n)·e.
//
// As anybody may look at any time, |D| is held against the bound of the normal mixture, which a sum of variance V crosses
// ever with a probability of alpha: √((V+ρ)·ln((V+ρ)/(ρ·alpha²))) (Robbins 1970; Howard et al., "Time-uniform, nonparametric,
// nonasymptotic confidence sequences", Annals of Statistics 2021, eq. 14), in standard errors of the sum, V that of the
// binomial. The error of the counts is not a sum over users: it is a new one whenever their number doubles or so, and 20
// doublings beyond 4.7 standard errors, which the bound never falls below, come to 5e-5.
func sampleRatio(stable, canary uint64, due, alpha float64) (off float64, isOff bool) {
	n, p, q := float64(stable+canary), due, 1-due
	if n*min(p, q) < ratioLeast {
		return 0, false
	}
	binomial := n * p * q
	variance := binomial
	for _, count := range []uint64{stable, canary} {
		if count > health.ExactUsers {
			variance += binomial * binomial * health.CountError * health.CountError
		}
	}
	off = (q*float64(canary) - p*float64(stable)) / math.Sqrt(variance)
	bound := math.Sqrt((1 + ratioScale/binomial) * math.Log((binomial+ratioScale)/(ratioScale*alpha*alpha)))
	return off, math.Abs(off) > bound
}
