package health

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"math"
	"testing"
	"time"
	"unsafe"
)

func TestStoredStateIsSmall(t *testing.T) {
	p := warmed(1, trial(1), 3*time.Minute, healthy(20))
	if got := len(p.state(t)); got > 24<<10 {
		t.Errorf("the state takes %d bytes, want at most 24 KiB", got)
	}
	size := int(unsafe.Sizeof(*p.judge))
	for a := range p.judge.lists {
		size += cap(p.judge.lists[a])
	}
	if size > 48<<10 {
		t.Errorf("a judge takes %d bytes, want at most 48 KiB", size)
	}
}

func TestStoredStateIsTakenUpWhole(t *testing.T) {
	p := warmed(1, trial(1), 3*time.Minute, healthy(20))
	p.judge.Begin(trial(1))
	p.run(3*time.Minute, healthy(20), healthy(2))
	doc := p.state(t)
	j := NewJudge()
	if err := j.UnmarshalBinary(doc); err != nil {
		t.Fatal(err)
	}
	if j.st != p.judge.st {
		t.Error("what was taken up is not what was stored")
	}
	if epoch, on := j.st.Epoch, j.st.OnTrial; epoch != 1 || !on {
		t.Errorf("epoch %d, on trial %t; want 1, true", epoch, on)
	}
}

func TestStatesThatAreRefused(t *testing.T) {
	var j Judge
	good := stored(t, &j)
	with := func(change func(st *standing)) []byte {
		j := NewJudge()
		change(&j.st)
		return stored(t, j)
	}
	nan := float32(math.NaN())
	for name, in := range map[string][]byte{
		"nothing":          {},
		"another schema":   append([]byte{9}, good[1:]...),
		"other bets":       append([]byte{good[0], ^good[1]}, good[2:]...),
		"too short":        good[:len(good)-1],
		"too long":         append(bytes.Clone(good), 0),
		"no number":        with(func(st *standing) { st.Evidence[3][4] = nan }),
		"infinite":         with(func(st *standing) { st.Streams[2].Past.N = math.Inf(1) }),
		"evidence":         with(func(st *standing) { st.Evidence[3][4] = -1 }),
		"more bad":         with(func(st *standing) { st.Streams[2].Slow = rate{1, 2} }),
		"less than none":   with(func(st *standing) { st.Streams[2].Trial[Canary] = rate{-1, -2} }),
		"below zero":       with(func(st *standing) { st.Streams[2].Scatter = -1 }),
		"a group":          with(func(st *standing) { st.Groups[1].K[5] = 1 }),
		"asking":           with(func(st *standing) { st.Asking.N[5] = -1 }),
		"times":            with(func(st *standing) { st.Times[1][2][3] = -1 }),
		"a bucket":         with(func(st *standing) { st.Quantile[1].From = Buckets }),
		"an age":           with(func(st *standing) { st.Quantile[1].Age = NumAges }),
		"an age of no use": with(func(st *standing) { st.Quantile[1] = quantile{Known: true, Age: AgeFast} }),
	} {
		before := j.st
		if err := j.UnmarshalBinary(in); err == nil {
			t.Errorf("%s: was taken up, want an error", name)
		}
		if j.st != before {
			t.Errorf("%s: what the judge knew changed", name)
		}
	}
	if err := j.UnmarshalBinary(good[:5]); !errors.Is(err, ErrOtherJudge) {
		t.Errorf("%v, want %v", err, ErrOtherJudge)
	}
}

func TestChangedSaysWhenToStore(t *testing.T) {
	j := NewJudge()
	j.Rest(trial(0))
	for _, step := range []struct {
		name string
		do   func()
		want bool
	}{
		{"rest", func() {}, true},
		{"asked again", func() {}, false},
		{"a second in an open block", func() { j.Fold(1, time.Second, new(Second)) }, false},
		{"a trial", func() { j.Begin(trial(1)) }, true},
		{"the same trial", func() { j.Begin(trial(1)) }, false},
		{"a closed block", func() { j.Fold(2, time.Minute, new(Second)) }, true},
		{"a shift", func() { j.Shift(3, false) }, true},
		{"the same shift", func() { j.Shift(3, false) }, false},
	} {
		step.do()
		if got := j.Changed(); got != step.want {
			t.Errorf("%s: changed %t, want %t", step.name, got, step.want)
		}
	}
}

// bytesOf deals numbers out of what a fuzzer made up.
type bytesOf struct{ data []byte }

func (b *bytesOf) byte() byte {
	if len(b.data) == 0 {
		return 0
	}
	x := b.data[0]
	b.data = b.data[1:]
	return x
}

// number is small, or as great as can be.
func (b *bytesOf) number() uint32 {
	x := b.byte()
	if x < 0xf0 {
		return uint32(x) % 24
	}
	return math.MaxUint32 >> (x & 0xf)
}

func (b *bytesOf) bins() []Bin {
	var list []Bin
	for range b.byte() % 4 {
		list = append(list, Bin{b.byte(), b.number()})
	}
	return list
}

func (b *bytesOf) second() *Second {
	s := new(Second)
	for range b.byte() % 32 {
		where := b.byte()
		c := &s.Arms[where&1][where>>1%NumAges][b.byte()%userGroups]
		*c = Cell{N: b.number(), Failed: b.number(), Left: b.number(), Alive: b.number(), Broken: b.number(), Latency: b.bins(), TTFB: b.bins()}
	}
	return s
}

// demandSound demands that all of a judge's numbers are some.
func demandSound(t *testing.T, j *Judge) {
	t.Helper()
	if _, err := json.Marshal(j.Verdict()); err != nil {
		t.Fatalf("the verdict cannot be written: %v", err)
	}
	if err := j.st.validate(); err != nil {
		t.Fatalf("the state would be refused: %v", err)
	}
}

// Whatever other instances send, a judge neither falls over nor comes to numbers that are none.
func FuzzFold(f *testing.F) {
	f.Add([]byte("a few requests"), uint8(0))
	f.Add(bytes.Repeat([]byte{31, 0xff, 0xf0, 1}, 200), uint8(1))
	f.Add(bytes.Repeat([]byte{3, 2, 200, 0xff, 3, 1, 99}, 100), uint8(2))
	f.Fuzz(func(t *testing.T, data []byte, terms uint8) {
		in := &bytesOf{data}
		now := trial(1)
		every := everyLimit()
		switch terms % 4 {
		case 1:
			now.Limits = &every
		case 2:
			now.Settings, now.Limits = nil, &every
		case 3:
			now.Limits, now.Settings.FewUsers, now.Raises = nil, FewUsersFailback, 2
		}
		j := NewJudge()
		j.Rest(now)
		at := int64(1)
		for i := 0; len(in.data) > 0 && i < 200; i++ {
			switch what := in.byte(); {
			case what == 0:
				j.Begin(now)
			case what == 1:
				j.Rest(now)
			case what < 8:
				j.Shift(at, what&1 == 0)
			}
			length := int64(1 + in.byte()%70)
			at += length
			j.Fold(at, time.Duration(length)*time.Second, in.second())
			demandSound(t, j)
		}
	})
}

// Whatever is in the store, a judge refuses it, or goes on with it.
func FuzzUnmarshalBinary(f *testing.F) {
	p := warmed(1, trial(1), time.Minute, healthy(20))
	p.judge.Begin(trial(1))
	p.run(time.Minute, healthy(20), healthy(2))
	doc, err := p.judge.MarshalBinary()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(doc, uint16(0), uint64(0))
	f.Add([]byte("?"), uint16(9), uint64(1))
	f.Add(doc, uint16(17), uint64(math.MaxUint64))
	f.Add(doc, uint16(3000), uint64(0x7f7fffff7f7fffff))
	f.Fuzz(func(t *testing.T, data []byte, at uint16, value uint64) {
		if i := int(at); i+8 <= len(data) && i >= 9 {
			data = bytes.Clone(data)
			binary.LittleEndian.PutUint64(data[i:], value)
		}
		now, every := trial(1), everyLimit()
		now.Limits = &every
		j := NewJudge()
		j.Begin(now)
		if j.UnmarshalBinary(data) != nil {
			return
		}
		j.Begin(now)
		if _, err := json.Marshal(j.Verdict()); err != nil {
			t.Fatalf("the verdict cannot be written: %v", err)
		}
		from := j.Resume()
		for i := range int64(70) {
			j.Fold(from+i, time.Second, nothing())
		}
		if _, err := json.Marshal(j.Verdict()); err != nil {
			t.Fatalf("the verdict cannot be written: %v", err)
		}
		if err := NewJudge().UnmarshalBinary(stored(t, j)); err != nil {
			t.Fatalf("what follows from a stored state is refused: %v", err)
		}
	})
}
