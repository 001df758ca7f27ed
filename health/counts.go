package health

import (
	"encoding/json"
	"fmt"
	"math"
)

// maxCount is what one number in evidence from another instance may be at most, so that sums stay far from overflow.
const maxCount = 1 << 53

// Counts holds how many requests ended in each class by each cause.
type Counts [numClasses][numCauses]uint64

// Of returns how many ended in a class, whatever the cause.
func (c *Counts) Of(class Class) uint64 {
	var n uint64
	for _, k := range c[class] {
		n = add(n, k)
	}
	return n
}

// Each calls f for every class and cause that is not zero.
func (c *Counts) Each(f func(class Class, cause Cause, n uint64)) {
	for class := range c {
		for cause, n := range c[class] {
			if n > 0 {
				f(Class(class), Cause(cause), n)
			}
		}
	}
}

func (c Counts) plus(other Counts) Counts {
	for class := range c {
		for cause := range c[class] {
			c[class][cause] = add(c[class][cause], other[class][cause])
		}
	}
	return c
}

// MarshalJSON writes {"failure": {"timeout": 3}}; zeros are left out.
func (c Counts) MarshalJSON() ([]byte, error) {
	out := map[Class]map[Cause]uint64{}
	c.Each(func(class Class, cause Cause, n uint64) {
		if out[class] == nil {
			out[class] = map[Cause]uint64{}
		}
		out[class][cause] = n
	})
	return json.Marshal(out)
}

// UnmarshalJSON reads what MarshalJSON writes. Classes and causes that this release does not know are ignored: a newer
// one may run in the same fleet.
func (c *Counts) UnmarshalJSON(data []byte) error {
	var in map[string]map[string]uint64
	if err := json.Unmarshal(data, &in); err != nil {
		return fmt.Errorf("counts are an object of objects of whole numbers: %w", err)
	}
	*c = Counts{}
	for class, name := range classNames {
		for cause, word := range causeNames {
			n := in[name][word]
			if n > maxCount {
				return fmt.Errorf("%s by %s is %d: more than can be counted", name, word, n)
			}
			c[class][cause] = n
		}
	}
	return nil
}

// add adds without wrapping around, whatever another instance sent.
func add(a, b uint64) uint64 {
	if sum := a + b; sum >= a {
		return sum
	}
	return math.MaxUint64
}
