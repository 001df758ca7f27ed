package health

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
)

// What a packed second may be.
const (
	secondSchema = 1
	maxSecond    = 64 << 10 // bytes; one of 1,024 requests for each arm and age has 24 kB
	// maxCell is the most that one number may be, so that the sum over 10,000 instances fits its type.
	maxCell = 1 << 18
)

// The parts of a packed cell, as bits that say which are there. The first five are its counts.
const (
	hasN = 1 << iota
	hasFailed
	hasLeft
	hasAlive
	hasBroken
	hasLatency
	hasTTFB
)

// partsOf says what cells of an age may have.
var partsOf = [NumAges]byte{
	AgeFast:   hasN | hasFailed,
	AgeSlow:   hasN | hasFailed | hasLeft | hasLatency | hasTTFB,
	AgeLate:   hasN | hasFailed | hasLeft | hasAlive | hasBroken | hasLatency | hasTTFB,
	AgeLong:   hasN | hasFailed | hasLatency | hasTTFB,
	AgeMinute: hasAlive | hasBroken,
}

// MarshalBinary packs what matured in a second, as one instance tells it: the schema; two bytes that say which arms and
// ages have anything, baseline first; of each the number of its cells; and of each cell its group, which parts it has, and
// these as varints. An empty second has three bytes. It is an error if a cell holds what cannot be, or what no one instance
// can have counted.
func (s *Second) MarshalBinary() ([]byte, error) {
	out := []byte{secondSchema, 0, 0}
	present := uint16(0)
	for arm := range s.Arms {
		for age := range s.Arms[arm] {
			cohort := &s.Arms[arm][age]
			n := cohort.cells()
			if n == 0 {
				continue
			}
			present |= 1 << (arm*NumAges + age)
			out = append(out, byte(n))
			for group := range cohort {
				cell := &cohort[group]
				if err := cell.validate(Age(age)); err != nil {
					return nil, fmt.Errorf("pack a second: %w", err)
				}
				out = cell.appendTo(out, group)
			}
		}
	}
	binary.LittleEndian.PutUint16(out[1:], present)
	if len(out) > maxSecond {
		return nil, fmt.Errorf("pack a second: it has %d bytes: must be at most %d", len(out), maxSecond)
	}
	return out, nil
}

// cells counts those that have anything.
func (c *Cohort) cells() (n int) {
	for group := range c {
		if !c[group].isZero() {
			n++
		}
	}
	return n
}

// appendTo packs a cell; nothing if it is empty.
func (c *Cell) appendTo(out []byte, group int) []byte {
	parts := c.parts()
	if parts == 0 {
		return out
	}
	out = append(out, byte(group), parts)
	for _, n := range c.counts() {
		if *n > 0 {
			out = binary.AppendUvarint(out, uint64(*n))
		}
	}
	for _, bins := range [...][]Bin{c.Latency, c.TTFB} {
		if len(bins) > 0 {
			out = appendBins(out, bins)
		}
	}
	return out
}

// appendBins packs how many bins there are, and of each how far it is from the one before, with a bit that says whether it
// holds more than one request, as few do; then how many.
func appendBins(out []byte, bins []Bin) []byte {
	out = append(out, byte(len(bins)))
	next := uint64(0)
	for _, b := range bins {
		gap := (uint64(b.Bucket) - next) << 1
		next = uint64(b.Bucket) + 1
		if b.N == 1 {
			out = binary.AppendUvarint(out, gap)
			continue
		}
		out = binary.AppendUvarint(out, gap|1)
		out = binary.AppendUvarint(out, uint64(b.N))
	}
	return out
}

// parts says which parts the cell has.
func (c *Cell) parts() (parts byte) {
	for i, n := range c.counts() {
		if *n > 0 {
			parts |= 1 << i
		}
	}
	if len(c.Latency) > 0 {
		parts |= hasLatency
	}
	if len(c.TTFB) > 0 {
		parts |= hasTTFB
	}
	return parts
}

// validate returns an error if the cell holds what one of that age cannot.
func (c *Cell) validate(age Age) error {
	if extra := c.parts() &^ partsOf[age]; extra != 0 {
		return fmt.Errorf("a cell of age %d has part %d, which there is not at that age", age, bits.TrailingZeros8(extra))
	}
	for i, n := range c.counts() {
		if *n > maxCell {
			return fmt.Errorf("number %d of a cell is %d: must be at most %d", i, *n, maxCell)
		}
	}
	latency, err := validBins(c.Latency)
	if err != nil {
		return err
	}
	ttfb, err := validBins(c.TTFB)
	if err != nil {
		return err
	}
	switch {
	case uint64(c.Failed)+uint64(c.Left) > uint64(c.N):
		return fmt.Errorf("a cell has %d failures and %d that left among %d requests", c.Failed, c.Left, c.N)
	case c.Broken > c.Alive, age != AgeMinute && c.Alive > c.N:
		return fmt.Errorf("a cell has %d broken among %d in progress, of %d requests", c.Broken, c.Alive, c.N)
	case max(latency, ttfb) > uint64(c.N-c.Failed):
		return fmt.Errorf("a cell has %d and %d times of %d requests that did not fail", latency, ttfb, c.N-c.Failed)
	}
	return nil
}

// validBins returns how many requests are in bins, and an error if these are none.
func validBins(bins []Bin) (sum uint64, err error) {
	next := 0
	for _, b := range bins {
		if int(b.Bucket) < next || b.Bucket >= Buckets || b.N == 0 {
			return 0, fmt.Errorf("a cell has %d requests in bucket %d: buckets must ascend, up to %d, and none be empty", b.N, b.Bucket, Buckets-1)
		}
		next = int(b.Bucket) + 1
		sum += uint64(b.N)
	}
	return sum, nil
}

// errShort is what reading fails with where there is nothing more to read.
var errShort = errors.New("it breaks off")

// UnmarshalBinary reads what MarshalBinary writes. It trusts nothing: sizes, numbers and their consistency are checked. If
// it fails, s is as it was.
func (s *Second) UnmarshalBinary(data []byte) error {
	switch {
	case len(data) > maxSecond:
		return fmt.Errorf("a second of %d bytes: must be at most %d", len(data), maxSecond)
	case len(data) < 3:
		return fmt.Errorf("read a second: %w", errShort)
	case data[0] > secondSchema:
		return fmt.Errorf("a second of schema %d: it is a newer release's, this one reads up to %d", data[0], secondSchema)
	case data[0] != secondSchema:
		return fmt.Errorf("a second of schema %d: must be %d", data[0], secondSchema)
	}
	r := reader{data: data[3:]}
	var in Second
	if err := in.read(&r, binary.LittleEndian.Uint16(data[1:])); err != nil {
		return fmt.Errorf("read a second: %w", err)
	}
	*s = in
	return nil
}

func (s *Second) read(r *reader, present uint16) error {
	if present >= 1<<(NumArms*NumAges) {
		return fmt.Errorf("it has arms and ages %#x, of which there are %d", present, NumArms*NumAges)
	}
	for i := range NumArms * NumAges {
		if present&(1<<i) == 0 {
			continue
		}
		if err := s.Arms[i/NumAges][i%NumAges].read(r, Age(i%NumAges)); err != nil {
			return err
		}
	}
	if len(r.data) > 0 {
		return fmt.Errorf("%d bytes follow it", len(r.data))
	}
	return r.err
}

func (c *Cohort) read(r *reader, age Age) error {
	next := 0
	for range r.byte() {
		group := int(r.byte())
		if group < next || group >= userGroups {
			return fmt.Errorf("group %d stands where at least %d must, and at most %d", group, next, userGroups-1)
		}
		next = group + 1
		c[group].read(r)
		if r.err != nil {
			return r.err
		}
		if err := c[group].validate(age); err != nil {
			return err
		}
	}
	return r.err
}

func (c *Cell) read(r *reader) {
	parts := r.byte()
	if parts >= hasTTFB<<1 {
		r.fail(fmt.Errorf("a cell has parts %#x: must be below %#x", parts, hasTTFB<<1))
		return
	}
	for i, n := range c.counts() {
		if parts&(1<<i) != 0 {
			*n = r.count()
		}
	}
	if parts&hasLatency != 0 {
		c.Latency = r.bins()
	}
	if parts&hasTTFB != 0 {
		c.TTFB = r.bins()
	}
}

// reader takes packed numbers off data. After an error it yields zeros.
type reader struct {
	data []byte
	err  error
}

func (r *reader) fail(err error) {
	if r.err == nil {
		r.data, r.err = nil, err
	}
}

func (r *reader) byte() byte {
	if len(r.data) == 0 {
		r.fail(errShort)
		return 0
	}
	b := r.data[0]
	r.data = r.data[1:]
	return b
}

func (r *reader) uvarint() uint64 {
	n, size := binary.Uvarint(r.data)
	if size <= 0 {
		r.fail(errShort)
		return 0
	}
	r.data = r.data[size:]
	return n
}

// count reads a number of requests.
func (r *reader) count() uint32 {
	n := r.uvarint()
	if n > maxCell {
		r.fail(fmt.Errorf("a number is %d: must be at most %d", n, maxCell))
		return 0
	}
	return uint32(n)
}

func (r *reader) bins() []Bin {
	n := int(r.byte())
	if n == 0 || n > Buckets {
		r.fail(fmt.Errorf("a cell has %d bins: must be from 1 to %d", n, Buckets))
		return nil
	}
	bins := make([]Bin, 0, n)
	next := uint64(0)
	for range n {
		head := r.uvarint()
		bucket := next + min(head>>1, Buckets)
		next = bucket + 1
		b := Bin{Bucket: uint8(min(bucket, Buckets)), N: 1}
		if head&1 != 0 {
			b.N = r.count()
		}
		bins = append(bins, b)
	}
	return bins
}
