package health

import (
	"hash/fnv"
	"reflect"
)

// Judge compares a canary with the baseline over the same seconds, and says when to fail back. It is a sequential test:
// it may be asked after every second, and the probability that it ever fails back a harmless canary in a rollout of the
// planned length stays below alpha. The method and its proof are in docs/judge.md.
//
//	for every sealed second:  j.Fold(second, time.Second, &sum)
//	                          v := j.Verdict()
//
// A Judge has no clock and no randomness: the same seconds in the same order give the same verdicts anywhere. It is not
// safe for concurrent use. What it knows when a block has closed can be stored and taken up by another instance; see
// [Judge.MarshalBinary].
type Judge struct {
	terms  Trial
	st     standing
	open   [NumAges]block
	counts [numStreams][NumArms][userGroups]counts // of the open blocks
	asked  [userGroups]counts                      // the canary's requests in AgeFast's open block, whatever streams there are
	joined [numStreams]bool                        // whether a stream counts in its age's open block
	lists  [NumAges][]stream                       // those that do
	limits [numStreams]limitTest
	dirty  bool // a block has closed since the state was last marshalled
}

// Trial says what a judge judges.
type Trial struct {
	// Epoch is the trial's.
	Epoch uint64
	// Stable says what the baseline is: a variant and its version. What is known of another one is dropped.
	Stable string
	// Since is the second by whose end requests count that speak for or against the canary, as it was repaired then: with it
	// a test of its own begins, by all of alpha. 0 is all of the epoch.
	Since int64
	// Settings say how the arms are compared; nil: only limits judge.
	Settings *Settings
	// Limits are the canary's absolute limits; nil: none.
	Limits *Limits
	// Raises is how many times the canary's share is planned to be raised, the start not counted. A part of alpha is
	// spent at each; with none, at the start.
	Raises int
	// Instances divides alpha, for instances that each judge by their own evidence alone; 0 is 1.
	Instances int
}

// NewJudge returns a judge that knows nothing, between trials.
func NewJudge() *Judge { return new(Judge) }

// Begin begins a trial. What is known of the baseline stays. A trial of the epoch that is judged already is the same
// trial, unless it counts since another second: only its terms are taken anew, as they are not stored.
func (j *Judge) Begin(t Trial) {
	t.Instances = max(t.Instances, j.terms.Instances)
	same := j.st.Known && j.st.OnTrial && j.st.Epoch == t.Epoch && (t.Since == 0 || t.Since == j.st.BeganAt)
	if same && reflect.DeepEqual(t, j.terms) {
		return
	}
	j.closeAll() // under the terms that it was opened with
	j.setTerms(t)
	j.meet(t.Stable)
	if same {
		return
	}
	j.st.Epoch, j.st.OnTrial = t.Epoch, true
	j.st.Evidence = [userGroups + 1][numComponents]float32{}
	j.st.Raises, j.st.CanaryAt, j.st.BeganAt, j.st.ProbeAt = 0, 0, t.Since, 0
	j.st.Started, j.st.Met, j.st.Quiet = [numStreams]bool{}, [NumAges]bool{}, [NumAges]int64{}
	j.st.Asking, j.st.Failed = groupRates{}, defeat{}
	for i := range j.st.Shifts {
		j.st.Shifts[i].Raised = false // what an earlier trial has not spent is not this one's
	}
	for s := range j.st.Streams {
		m := &j.st.Streams[s]
		m.Trial, m.Probe = [NumArms]rate{}, [NumArms]rate{}
		m.Recent[Canary], m.Brief, m.Rise[Canary] = rate{}, rate{}, 0
	}
	j.dirty = true
}

// Rest ends the trial, if there is one: from now on the judge only learns what the baseline is like, under the terms of
// the next trial as far as they are known.
func (j *Judge) Rest(t Trial) {
	t.Instances = max(t.Instances, j.terms.Instances)
	if !j.st.OnTrial && reflect.DeepEqual(t, j.terms) {
		return
	}
	j.closeAll()
	if j.st.OnTrial {
		j.noteFailure()
	}
	j.st.OnTrial = false
	j.setTerms(t)
	j.meet(t.Stable)
	j.dirty = true
}

// meet drops what is known of a baseline that is another one now.
func (j *Judge) meet(stable string) {
	h := fnv.New64a()
	_, _ = h.Write([]byte(stable)) // never fails
	if id := h.Sum64(); id != j.st.Baseline {
		if j.st.Baseline != 0 {
			j.st.Streams, j.st.Groups, j.st.Times = [numStreams]memory{}, [numCompared]groupRates{}, [2][3][Buckets]float32{}
			j.st.Quantile, j.st.Flow, j.st.Failed = [4]quantile{}, [NumAges]rate{}, defeat{}
		}
		j.st.Baseline = id
	}
}

// Share divides alpha among instances that each judge by their own evidence alone, from now on.
func (j *Judge) Share(instances int) { j.terms.Instances = instances }

// Acquit drops what speaks against the canary, as its cause was found to be shared. What of alpha was spent on it stays
// spent.
func (j *Judge) Acquit() {
	j.st.Evidence = [userGroups + 1][numComponents]float32{}
	j.dirty = true
}
