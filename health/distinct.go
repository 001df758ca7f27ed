package health

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"math/bits"
	"slices"
)

// How many users are told apart. Of a user's 64-bit hash the upper half is counted: two of a million users share one
// with a probability that makes 0.01 % of them one.
const (
	// ExactUsers is up to how many users a count is exact: as many are kept as they are.
	ExactUsers = 64
	// CountError is the standard error of a count of more, as a share of it.
	CountError = 1.04 / 32 // √registers
	// registerBits chooses the register of the hash: with 1024 the standard error of the estimate is 3.3 %.
	registerBits = 10
	registers    = 1 << registerBits
	// maxRank is the highest that a register can hold, in 5 bits: no bit is set in the rest of the hash.
	maxRank      = 32 - registerBits + 1
	registerSize = 5
	packedSize   = registers * registerSize / 8
)

// Distinct counts different users: exactly up to 64, beyond that by a HyperLogLog of 1024 registers (Flajolet, Fusy,
// Gandouet, Meunier, AofA 2007), within 3.3 % (one standard error). Its zero value has counted nobody. It is a plain
// value that is never modified, and is added to others by [Distinct.Merge]: who is in both counts once.
type Distinct struct {
	few   []uint32 // ascending, at most ExactUsers; nil once there are registers
	ranks *[registers]uint8
}

// mark returns what is counted of a user's hash. Zero stands for nobody.
func mark(user uint64) uint32 { return max(uint32(user>>32), 1) }

// rankOf returns the register that a user falls into, and the rank that it shows there: how many zeros lead the rest of the
// mark, plus one.
func rankOf(mark uint32) (register int, rank uint8) {
	rest := mark<<registerBits | 1<<(registerBits-1) // which ends the zeros
	return int(mark >> (32 - registerBits)), uint8(bits.LeadingZeros32(rest)) + 1
}

// Merge returns the count of whoever is in either.
func (d Distinct) Merge(other Distinct) Distinct {
	var sum distinctSum
	sum.addAll(d)
	sum.addAll(other)
	return sum.distinct()
}

// Equal reports whether both have counted alike.
func (d Distinct) Equal(other Distinct) bool {
	if d.ranks == nil || other.ranks == nil {
		return d.ranks == other.ranks && slices.Equal(d.few, other.few)
	}
	return *d.ranks == *other.ranks
}

// IsZero reports whether nobody was counted.
func (d Distinct) IsZero() bool { return d.ranks == nil && len(d.few) == 0 }

// Count returns how many users were counted: the improved raw estimate of Ertl, "New cardinality estimation algorithms
// for HyperLogLog sketches" (2017), algorithm 6, which needs neither tables nor corrections.
func (d Distinct) Count() uint64 {
	if d.ranks == nil {
		return uint64(len(d.few))
	}
	var with [maxRank + 1]float64 // how many registers have each rank
	for _, r := range d.ranks {
		with[r]++
	}
	z := registers * tau(1-with[maxRank]/registers)
	for rank := maxRank - 1; rank >= 1; rank-- {
		z = (z + with[rank]) / 2
	}
	z += registers * sigma(with[0]/registers) // infinite if all are empty; zero if all are full, which only a liar sends
	return uint64(min(math.Round(registers*registers/(2*math.Ln2*z)), 1<<32))
}

// sigma returns x + Σ x^(2^k)·2^(k-1) over k ≥ 1.
func sigma(x float64) float64 {
	if x >= 1 {
		return math.Inf(1)
	}
	z, y := x, 1.0
	for {
		x *= x
		before := z
		z += x * y
		y *= 2
		if z == before {
			return z
		}
	}
}

// tau returns (1 - x - Σ (1 - x^(2^-k))²·2^-k) / 3 over k ≥ 1.
func tau(x float64) float64 {
	if x <= 0 || x >= 1 {
		return 0
	}
	z, y := 1-x, 1.0
	for {
		x = math.Sqrt(x)
		before := z
		y /= 2
		z -= (1 - x) * (1 - x) * y
		if z == before {
			return z / 3
		}
	}
}

// MarshalJSON writes base64: up to 64 users as four bytes each, ascending; more as registers of five bits each, 640 bytes.
func (d Distinct) MarshalJSON() ([]byte, error) {
	var raw []byte
	if d.ranks != nil {
		raw = pack(d.ranks)
	}
	for _, m := range d.few {
		raw = binary.BigEndian.AppendUint32(raw, m)
	}
	return json.Marshal(base64.RawStdEncoding.EncodeToString(raw))
}

// UnmarshalJSON reads what MarshalJSON writes, and refuses what no instance could have counted.
func (d *Distinct) UnmarshalJSON(data []byte) error {
	var text string
	if err := json.Unmarshal(data, &text); err != nil {
		return fmt.Errorf("a count of users is a text: %w", err)
	}
	raw, err := base64.RawStdEncoding.DecodeString(text)
	switch {
	case err != nil:
		return fmt.Errorf("a count of users is base64: %w", err)
	case len(raw) == packedSize:
		in, err := unpack(raw)
		*d = Distinct{ranks: in}
		return err
	case len(raw)%4 != 0 || len(raw) > 4*ExactUsers:
		return fmt.Errorf("a count of users has %d bytes: must be %d, or four for each of at most %d users", len(raw), packedSize, ExactUsers)
	}
	in := Distinct{}
	for last := uint32(0); len(raw) > 0; raw = raw[4:] {
		m := binary.BigEndian.Uint32(raw)
		if m <= last {
			return fmt.Errorf("a count of users has user %#x behind %#x: must ascend", m, last)
		}
		in.few, last = append(in.few, m), m
	}
	*d = in
	return nil
}

// pack writes registers of five bits each, eight of them in five bytes.
func pack(ranks *[registers]uint8) []byte {
	raw := make([]byte, 0, packedSize)
	for i := 0; i < registers; i += 8 {
		var word uint64
		for _, r := range ranks[i : i+8] {
			word = word<<registerSize | uint64(r)
		}
		raw = append(raw, byte(word>>32), byte(word>>24), byte(word>>16), byte(word>>8), byte(word))
	}
	return raw
}

// unpack reads what pack writes.
func unpack(raw []byte) (*[registers]uint8, error) {
	out := new([registers]uint8)
	for i := range out {
		group := raw[i/8*registerSize:]
		word := uint64(group[0])<<32 | uint64(group[1])<<24 | uint64(group[2])<<16 | uint64(group[3])<<8 | uint64(group[4])
		out[i] = uint8(word>>(registerSize*(7-i%8))) & (1<<registerSize - 1)
		if out[i] > maxRank {
			return nil, fmt.Errorf("register %d of a count of users is %d: must be at most %d", i, out[i], maxRank)
		}
	}
	return out, nil
}

// distinctSum adds users up.
type distinctSum struct {
	few   [ExactUsers]uint32 // ascending, the first n
	n     int
	ranks *[registers]uint8 // nil while there are few
}

func (s *distinctSum) add(m uint32) {
	if s.ranks != nil {
		raise(s.ranks, m)
		return
	}
	i, found := slices.BinarySearch(s.few[:s.n], m)
	switch {
	case found:
	case s.n == ExactUsers:
		s.spread()
		raise(s.ranks, m)
	default:
		copy(s.few[i+1:s.n+1], s.few[i:s.n])
		s.few[i] = m
		s.n++
	}
}

// spread goes over from a list to registers.
func (s *distinctSum) spread() {
	if s.ranks == nil {
		s.ranks = new([registers]uint8)
		for _, m := range s.few[:s.n] {
			raise(s.ranks, m)
		}
	}
}

func (s *distinctSum) addAll(d Distinct) {
	if d.ranks != nil {
		s.spread()
		for i, r := range d.ranks {
			s.ranks[i] = max(s.ranks[i], r)
		}
	}
	for _, m := range d.few {
		s.add(m)
	}
}

// distinct returns the sum, which is not to be added to afterwards.
func (s *distinctSum) distinct() Distinct {
	switch {
	case s.ranks != nil:
		return Distinct{ranks: s.ranks}
	case s.n == 0:
		return Distinct{}
	}
	return Distinct{few: slices.Clone(s.few[:s.n])}
}

func raise(ranks *[registers]uint8, m uint32) {
	i, rank := rankOf(m)
	ranks[i] = max(ranks[i], rank)
}
