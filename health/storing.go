package health

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"math"
	"reflect"
	"slices"
)

// storedSchema is the newest schema of a judge's state that this release writes and reads.
const storedSchema = 1

// storedSize is how long a state is: a byte for the schema, the bets' fingerprint, and what is known.
var storedSize = 1 + 8 + binary.Size(standing{})

// ErrOtherJudge means that a state was stored by a release whose judge works differently.
var ErrOtherJudge = errors.New("the judge's state is of another release")

// betsFingerprint tells states apart whose bets are others, though they are as long.
var betsFingerprint = func() uint64 {
	h := fnv.New64a()
	fmt.Fprint(h, components)
	return h.Sum64()
}()

// MarshalBinary returns what the judge knew when the last block closed, at most 24 KiB. Open blocks are not in it: whoever
// takes it up folds again from [Judge.Resume] on.
func (j *Judge) MarshalBinary() ([]byte, error) {
	out := make([]byte, 0, storedSize)
	out = append(out, storedSchema)
	out = binary.LittleEndian.AppendUint64(out, betsFingerprint)
	out, err := binary.Append(out, binary.LittleEndian, &j.st)
	if err != nil {
		return nil, fmt.Errorf("store the judge's state: %w", err)
	}
	return out, nil
}

// UnmarshalBinary takes up a stored state, in place of all that the judge knows; its terms stay. It trusts nothing.
func (j *Judge) UnmarshalBinary(data []byte) error {
	if len(data) < 9 || data[0] != storedSchema || binary.LittleEndian.Uint64(data[1:]) != betsFingerprint {
		return ErrOtherJudge
	}
	if len(data) != storedSize {
		return fmt.Errorf("the judge's state has %d bytes: must have %d", len(data), storedSize)
	}
	var st standing
	if _, err := binary.Decode(data[9:], binary.LittleEndian, &st); err != nil {
		return fmt.Errorf("read the judge's state: %w", err)
	}
	if err := st.validate(); err != nil {
		return fmt.Errorf("read the judge's state: %w", err)
	}
	terms := j.terms
	*j = Judge{st: st}
	j.setTerms(terms)
	return nil
}

// Resume returns the first second that is not in a closed block of every age.
func (j *Judge) Resume() int64 {
	first := j.st.Folded[0]
	for _, s := range j.st.Folded {
		first = min(first, s)
	}
	return first + 1
}

// Changed reports whether a block has closed, or a trial begun or ended, since it was last asked.
func (j *Judge) Changed() bool {
	was := j.dirty
	j.dirty = false
	return was
}

// validate refuses numbers that no judge comes to.
func (st *standing) validate() error {
	if err := sound(reflect.ValueOf(st).Elem()); err != nil {
		return err
	}
	if int(st.Failed.Stream) >= numStreams {
		return fmt.Errorf("a trial failed by stream %d: there are %d", st.Failed.Stream, numStreams)
	}
	for s := range st.Streams {
		if err := st.Streams[s].validate(stream(s)); err != nil {
			return fmt.Errorf("stream %d: %w", s, err)
		}
	}
	for s := range st.Groups {
		if err := st.Groups[s].validate(); err != nil {
			return fmt.Errorf("stream %d: %w", s, err)
		}
	}
	if err := st.validateSums(); err != nil {
		return err
	}
	if err := st.Asking.validate(); err != nil {
		return err
	}
	for _, q := range st.Quantile {
		if q.From >= Buckets || q.Age >= NumAges || q.Known && !q.Age.HasTimes() {
			return fmt.Errorf("a quantile from bucket %d at age %d: there are %d buckets and %d ages", q.From, q.Age, Buckets, NumAges)
		}
	}
	return nil
}

// sound looks for numbers that are none or too great to be worked with.
func sound(v reflect.Value) error {
	switch v.Kind() {
	case reflect.Float32, reflect.Float64:
		if x := v.Float(); math.IsNaN(x) || math.Abs(x) > math.MaxFloat32 {
			return fmt.Errorf("it holds the number %g", x)
		}
	case reflect.Array:
		for i := range v.Len() {
			if err := sound(v.Index(i)); err != nil {
				return err
			}
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if err := sound(v.Field(i)); err != nil {
				return err
			}
		}
	}
	return nil
}

// validateSums refuses sums below zero.
func (st *standing) validateSums() error {
	for g := range st.Evidence {
		for c, e := range &st.Evidence[g] {
			if e < 0 {
				return fmt.Errorf("evidence %g of bet %d: must not be below 0", e, c)
			}
		}
	}
	for which := range st.Times {
		for a := range st.Times[which] {
			if n := slices.Min(st.Times[which][a][:]); n < 0 {
				return fmt.Errorf("%g requests in a bucket: must not be below 0", n)
			}
		}
	}
	return nil
}

// validate refuses parts that are greater than their whole.
func (m *memory) validate(s stream) error {
	for _, x := range []float64{m.Scatter, m.Expected, m.Rise[Baseline], m.Rise[Canary], m.Excursion, m.Burst} {
		if x < 0 {
			return fmt.Errorf("%g of what only adds up: must not be below 0", x)
		}
	}
	for _, r := range []rate{m.Past, m.Slow, m.Recent[Baseline], m.Recent[Canary], m.Trial[Baseline], m.Trial[Canary],
		m.Brief, m.Probe[Baseline], m.Probe[Canary]} {
		if s == limitMean {
			r.K = 0 // a logarithm, not a number of requests
		}
		if err := r.validate(); err != nil {
			return err
		}
	}
	return nil
}

func (r rate) validate() error {
	if r.K < 0 || r.K > r.N || r.N < 0 {
		return fmt.Errorf("%g bad ones of %g requests: must be from 0 to all", r.K, r.N)
	}
	return nil
}

func (g *groupRates) validate() error {
	for i := range g.N {
		if err := (rate{float64(g.N[i]), float64(g.K[i])}).validate(); err != nil {
			return fmt.Errorf("group %d: %w", i, err)
		}
	}
	return nil
}
