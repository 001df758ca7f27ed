package health_test

import (
	"encoding/hex"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/switchback-proxy/switchback/health"
)

// bins draws bins of at most n requests.
func bins(t *rapid.T, n uint32, what string) (out []health.Bin) {
	for bucket := rapid.IntRange(0, health.Buckets).Draw(t, what); bucket < health.Buckets && n > 0; bucket += rapid.IntRange(1, 40).Draw(t, what+" gap") {
		in := rapid.Uint32Range(1, n).Draw(t, what+" n")
		out = append(out, health.Bin{Bucket: uint8(bucket), N: in})
		n -= in
	}
	return out
}

// cells draws a cell of an age.
func cells(t *rapid.T, age health.Age) (c health.Cell) {
	n := rapid.OneOf(rapid.Uint32Range(0, 3), rapid.Uint32Range(0, 1<<18)).Draw(t, "n")
	some := func(most uint32, what string) uint32 { return rapid.Uint32Range(0, most).Draw(t, what) }
	if age == health.AgeMinute {
		c.Alive = n
		c.Broken = some(n, "broken")
		return c
	}
	c.N = n
	c.Failed = some(n, "failed")
	if age == health.AgeLate {
		c.Alive = some(n, "alive")
		c.Broken = some(c.Alive, "broken")
	}
	if age == health.AgeSlow || age == health.AgeLate {
		c.Left = some(n-c.Failed, "left")
	}
	if age.HasTimes() {
		c.Latency, c.TTFB = bins(t, n-c.Failed, "latency"), bins(t, n-c.Failed, "ttfb")
	}
	return c
}

var seconds = rapid.Custom(func(t *rapid.T) *health.Second {
	s := new(health.Second)
	for range rapid.IntRange(0, 20).Draw(t, "cells") {
		age := health.Age(rapid.IntRange(0, health.NumAges-1).Draw(t, "age"))
		s.Arms[rapid.IntRange(0, 1).Draw(t, "arm")][age][rapid.IntRange(0, 63).Draw(t, "group")] = cells(t, age)
	}
	return s
})

// difference is cmp.Diff for what is large and nearly always equal.
func difference(want, got any) string {
	if reflect.DeepEqual(want, got) {
		return ""
	}
	return cmp.Diff(want, got)
}

// sum adds seconds to none, in order.
func sum(all ...*health.Second) *health.Second {
	s := new(health.Second)
	for _, other := range all {
		s.Add(other)
	}
	return s
}

func TestAddingSecondsIsAddition(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b, c := seconds.Draw(t, "a"), seconds.Draw(t, "b"), seconds.Draw(t, "c")
		if diff := difference(sum(a, b), sum(b, a)); diff != "" {
			t.Fatalf("a+b is not b+a:\n%s", diff)
		}
		if diff := difference(sum(sum(a, b), c), sum(a, sum(b, c))); diff != "" {
			t.Fatalf("(a+b)+c is not a+(b+c):\n%s", diff)
		}
		if diff := difference(a, sum(a)); diff != "" {
			t.Fatalf("0+a is not a:\n%s", diff)
		}
	})
}

func TestSumsStopAtTheirMost(t *testing.T) {
	a := new(health.Second)
	a.Arms[0][health.AgeSlow][3] = health.Cell{N: math.MaxUint32 - 1, Latency: []health.Bin{{Bucket: 7, N: math.MaxUint32}}}
	s := sum(a, a)
	want := health.Cell{N: math.MaxUint32, Latency: []health.Bin{{Bucket: 7, N: math.MaxUint32}}}
	if diff := difference(want, s.Arms[0][health.AgeSlow][3]); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if got := a.Arms[0][health.AgeSlow][3].N; got != math.MaxUint32-1 {
		t.Errorf("what was added is %d afterwards", got)
	}
}

func TestSecondsArePacked(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := seconds.Draw(t, "second")
		packed, err := in.MarshalBinary()
		if err != nil {
			t.Fatalf("pack: %v", err)
		}
		out := sum(in) // must be forgotten
		if err := out.UnmarshalBinary(packed); err != nil {
			t.Fatalf("read %x: %v", packed, err)
		}
		if diff := difference(in, out); diff != "" {
			t.Fatalf("(-in +out)\n%s", diff)
		}
	})
}

// The packed form is pinned: proxies of several releases read each other's.
func TestPackedSecond(t *testing.T) {
	s := new(health.Second)
	if packed, err := s.MarshalBinary(); err != nil || hex.EncodeToString(packed) != "010000" {
		t.Errorf("an empty second is %x, %v, want 010000", packed, err)
	}
	s.Arms[health.Baseline][health.AgeFast][5] = health.Cell{N: 300, Failed: 1}
	s.Arms[health.Canary][health.AgeLate][63] = health.Cell{N: 4, Failed: 1, Left: 1, Alive: 2, Broken: 1,
		Latency: []health.Bin{{Bucket: 40, N: 1}, {Bucket: 44, N: 2}}, TTFB: []health.Bin{{Bucket: 79, N: 1}}}
	const want = "01" + "8100" + "01" + "0503" + "ac02" + "01" + "01" + "3f7f" + "0401010201" + "02" + "50" + "0702" + "01" + "9e01"
	if packed, err := s.MarshalBinary(); err != nil || hex.EncodeToString(packed) != want {
		t.Errorf("got %x, %v, want %s", packed, err, want)
	}
}

func TestWhatIsNoSecond(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"", "breaks off"},
		{"0100", "breaks off"},
		{"020000", "schema 2: it is a newer release's, this one reads up to 1"},
		{"000000", "schema 0: must be 1"},
		{"010004", "arms and ages 0x400"},
		{"01000000", "1 bytes follow it"},
		{"010100", "breaks off"},
		{"01010001", "breaks off"},
		{"010100010501", "breaks off"},
		{"010100014001" + "01", "group 64"},
		{"010100020501" + "01" + "050101", "group 5 stands where at least 6 must"},
		{"010100010503" + "0102", "2 failures and 0 that left among 1 requests"},
		{"010100010501" + "818010", "a number is 262145: must be at most 262144"},
		{"010100010501" + "80808080808080808080", "breaks off"},
		{"010100010505" + "0101", "part 2, which there is not at that age"},
		{"010100010580", "parts 0x80"},
		{"010200010521" + "0100", "from 1 to 80"},
		{"010200010521" + "0151", "from 1 to 80"},
		{"010200010521" + "0101a001", "buckets must ascend"},
		{"010200010521" + "01010100", "none be empty"},
		{"010200010521" + "01020000", "2 and 0 times of 1 requests"},
		{"010400010519" + "0101", "breaks off"},
		{"010400010519" + "010102", "2 broken among 1"},
		{"010400010509" + "0102", "0 broken among 2 in progress, of 1 requests"},
		{strings.Repeat("00", 64<<10+1), "must be at most 65536"},
	} {
		data, err := hex.DecodeString(tt.in)
		if err != nil {
			t.Fatal(err)
		}
		s := new(health.Second)
		if err := s.UnmarshalBinary(data); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%.20s: got %v, want %q", tt.in, err, tt.want)
		}
		if diff := difference(new(health.Second), s); diff != "" {
			t.Errorf("%.20s: changed by an error:\n%s", tt.in, diff)
		}
	}
}

// What cannot be is not sent, and neither is what is too large to be one instance's.
func TestWhatIsNotPacked(t *testing.T) {
	for _, tt := range []struct {
		cell health.Cell
		want string
	}{
		{health.Cell{N: 1<<18 + 1}, "must be at most 262144"},
		{health.Cell{N: 1, Failed: 2}, "2 failures"},
		{health.Cell{N: 1, Alive: 1}, "part 3"},
		{health.Cell{N: 1, Latency: []health.Bin{{Bucket: 80, N: 1}}}, "bucket 80"},
		{health.Cell{N: 2, TTFB: []health.Bin{{Bucket: 8, N: 1}, {Bucket: 8, N: 1}}}, "buckets must ascend"},
	} {
		s := new(health.Second)
		s.Arms[1][health.AgeSlow][0] = tt.cell
		if _, err := s.MarshalBinary(); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%+v: got %v, want %q", tt.cell, err, tt.want)
		}
	}
	full := health.Cell{N: 80 * 128}
	for bucket := range uint8(80) {
		full.Latency = append(full.Latency, health.Bin{Bucket: bucket, N: 128})
	}
	full.TTFB = full.Latency
	s := new(health.Second)
	for arm := range s.Arms {
		for age := health.AgeSlow; age <= health.AgeLong; age++ {
			for group := range s.Arms[arm][age] {
				s.Arms[arm][age][group] = full
			}
		}
	}
	if _, err := s.MarshalBinary(); err == nil || !strings.Contains(err.Error(), "must be at most 65536") {
		t.Errorf("all that fits into a second: got %v, want that it is too long", err)
	}
}

// The size of a frame under realistic traffic: lognormal answers with a median of 2 s, 1 % failures, a tenth of the traffic
// on the canary, ages up to ten minutes all reached.
func TestSecondsAreSmall(t *testing.T) {
	for _, tt := range []struct{ rate, most int }{{2, 120}, {20, 1 << 10}, {200, 8 << 10}, {1000, 24 << 10}} {
		t.Run(fmt.Sprintf("%d a second", tt.rate), func(t *testing.T) {
			rng := rand.New(rand.NewPCG(1, uint64(tt.rate)))
			arms := [health.NumArms]*health.Window{health.NewWindow(health.DefaultLimits(), nil), health.NewWindow(health.DefaultLimits(), nil)}
			for _, w := range arms {
				w.Mature(epoch)
			}
			largest, sum := 0, 0
			const first, length = 605, 625
			for second := range length {
				for range tt.rate {
					ask(rng, arms, time.Duration(second)*time.Second+time.Duration(rng.Int64N(int64(time.Second))))
				}
				var frame health.Second
				for arm, w := range arms {
					matured, _ := w.Mature(epoch.Add(time.Duration(second+1) * time.Second))
					frame.Arms[arm] = *matured[0].Ages
				}
				packed, err := frame.MarshalBinary()
				if err != nil {
					t.Fatal(err)
				}
				if second >= first {
					largest, sum = max(largest, len(packed)), sum+len(packed)
				}
			}
			t.Logf("a frame has %d bytes, at most %d", sum/(length-first), largest)
			if largest > tt.most {
				t.Errorf("a frame has %d bytes, want at most %d", largest, tt.most)
			}
		})
	}
}

// ask lets a request arrive at one of the arms, and says at once what will become of it.
func ask(rng *rand.Rand, arms [health.NumArms]*health.Window, at time.Duration) {
	arm := health.Baseline
	if rng.IntN(10) == 0 {
		arm = health.Canary
	}
	f := &health.Flight{Start: epoch.Add(at)}
	f.Arrive(arms[arm], rng.Uint64()|1)
	lognormal := func(median, spread float64) time.Duration {
		return time.Duration(median * math.Exp(spread*rng.NormFloat64()) * float64(time.Second))
	}
	o := health.Outcome{Class: health.Success, TTFB: lognormal(0.4, 0.7)}
	if rng.IntN(100) == 0 {
		o = failure()
	} else {
		f.Answer(f.Start.Add(o.TTFB))
	}
	o.Total = o.TTFB + lognormal(2, 0.8)
	f.Record(f.Start.Add(o.Total), o)
}

func FuzzSecond(f *testing.F) {
	for _, seed := range []string{"010000", "0101000105030200", "018100010503ac0201013f7f040101020102500702019e01"} {
		data, err := hex.DecodeString(seed)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var in, out health.Second
		if in.UnmarshalBinary(data) != nil {
			return
		}
		packed, err := in.MarshalBinary()
		if err != nil {
			t.Fatalf("what was read cannot be packed: %v", err)
		}
		if err := out.UnmarshalBinary(packed); err != nil {
			t.Fatalf("what was packed cannot be read: %v", err)
		}
		if diff := difference(in, out); diff != "" {
			t.Fatalf("(-read +read again)\n%s", diff)
		}
		if len(packed) > len(data) {
			t.Fatalf("%d bytes became %d", len(data), len(packed))
		}
	})
}
