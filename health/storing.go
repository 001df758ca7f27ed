package health

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"math"
	"reflect"
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

// Epoch returns the trial's epoch; false between trials.
func (j *Judge) Epoch() (epoch uint64, onTrial bool) { return j.st.Epoch, j.st.OnTrial }

// validate refuses numbers that no judge comes to.
func (st *standing) validate() error {
	if err := sound(reflect.ValueOf(st).Elem()); err != nil {
		return err
	}
	if int(st.Failed.Stream) >= numStreams {
		return fmt.Errorf("a trial failed by stream %d: there are %d", st.Failed.Stream, numStreams)
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
