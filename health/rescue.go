package health

// RescueResult is what came of answering a failed request by stable instead.
type RescueResult uint8

// The results. The first three are what stable's answer was; in the others there was none, and the client got the
// canary's failure.
const (
	RescueSuccess  RescueResult = iota // stable's answer was a success
	RescueFailure                      // stable failed too
	RescueExcluded                     // stable's answer counts as nobody's failure: a 4xx, or the client left
	RescueNoBody                       // the request's body was read in part, or too long to be kept
	RescueNoStable                     // stable is killed, or not known here
	RescueCapped                       // more rescues than stable is to be burdened with
	numRescueResults
)

var rescueResults = [numRescueResults]string{"success", "failure", "excluded", "body", "no_stable", "capped"}

// String returns the word that metrics and logs have.
func (r RescueResult) String() string {
	if r < numRescueResults {
		return rescueResults[r]
	}
	return "unknown"
}

// RescuedAs returns the result of a rescue that stable answered with an outcome of that class.
func RescuedAs(c Class) RescueResult {
	switch c {
	case Success:
		return RescueSuccess
	case Failure:
		return RescueFailure
	default:
		return RescueExcluded
	}
}

// Rescues holds how many requests were rescued, or could not be, by result.
type Rescues [numRescueResults]uint64

// Each calls f for every result that is not zero.
func (r *Rescues) Each(f func(result RescueResult, n uint64)) {
	for result, n := range r {
		if n > 0 {
			f(RescueResult(result), n)
		}
	}
}

// Rescue counts a request of this variant that was to be rescued.
func (t *Totals) Rescue(r RescueResult) {
	if r < numRescueResults {
		t.rescues[r].Add(1)
	}
}
