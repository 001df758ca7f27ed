package health

import (
	"encoding/base64"
	"encoding/json"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// counted counts users in the given order.
func counted(users ...uint64) Distinct {
	var live liveDistinct
	for _, u := range users {
		live.add(mark(u))
	}
	var sum distinctSum
	live.addTo(&sum)
	return sum.distinct()
}

func hashes(r *rand.Rand, n int) []uint64 {
	users := make([]uint64, n)
	for i := range users {
		users[i] = r.Uint64()
	}
	return users
}

func TestFewUsersAreCountedExactly(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for n := range ExactUsers + 1 {
		users := hashes(r, n)
		d := counted(append(users, users...)...)
		if got := d.Count(); got != uint64(n) {
			t.Errorf("%d users twice: counted %d", n, got)
		}
	}
}

// The standard error over many tries is what the size promises, without a bias.
func TestManyUsersAreCountedWithinTheError(t *testing.T) {
	const tries = 200
	r := rand.New(rand.NewPCG(3, 4))
	for _, n := range []int{65, 100, 300, 1000, 3000, 10_000, 100_000} {
		var sum, squares float64
		for range tries {
			var live distinctSum
			for range n {
				live.add(mark(r.Uint64()))
			}
			off := float64(live.distinct().Count())/float64(n) - 1
			sum += off
			squares += off * off
		}
		bias, deviation := sum/tries, math.Sqrt(squares/tries)
		t.Logf("%d users: off by %.2f%%, standard error %.2f%%", n, bias*100, deviation*100)
		if math.Abs(bias) > 0.01 || deviation > 0.04 {
			t.Errorf("%d users: off by %.2f%% on average, standard error %.2f%%, want at most 1%% and 4%%", n, bias*100, deviation*100)
		}
	}
}

func TestDistinctMergeIsUnion(t *testing.T) {
	drawn := rapid.SliceOfN(rapid.Uint64Range(1, 1<<40), 0, 150)
	count := func(t *rapid.T, name string) (Distinct, []uint64) {
		users := drawn.Draw(t, name)
		for i := range users {
			users[i] <<= 24
		}
		return counted(users...), users
	}
	rapid.Check(t, func(t *rapid.T) {
		a, usersA := count(t, "a")
		b, usersB := count(t, "b")
		c, _ := count(t, "c")
		if diff := cmp.Diff(counted(slices.Concat(usersA, usersB)...), a.Merge(b)); diff != "" {
			t.Fatalf("a+b is not what both counted:\n%s", diff)
		}
		if diff := cmp.Diff(a.Merge(b), b.Merge(a)); diff != "" {
			t.Fatalf("a+b is not b+a:\n%s", diff)
		}
		if diff := cmp.Diff(a.Merge(b).Merge(c), a.Merge(b.Merge(c))); diff != "" {
			t.Fatalf("(a+b)+c is not a+(b+c):\n%s", diff)
		}
		if diff := cmp.Diff(a, a.Merge(a)); diff != "" {
			t.Fatalf("a+a is not a:\n%s", diff)
		}
	})
}

func TestDistinctJSON(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for _, n := range []int{0, 1, 64, 65, 5000} {
		want := counted(hashes(r, n)...)
		doc, err := json.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		var got Distinct
		if err := json.Unmarshal(doc, &got); err != nil {
			t.Fatalf("%d users: %v", n, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%d users (-want +got)\n%s", n, diff)
		}
		if len(doc) > 900 {
			t.Errorf("%d users take %d bytes, want at most 900", n, len(doc))
		}
	}
}

func TestDistinctJSONRefusesNonsense(t *testing.T) {
	text := func(raw ...byte) string { return `"` + base64.RawStdEncoding.EncodeToString(raw) + `"` }
	full := slices.Repeat([]byte{0xff}, packedSize)
	for _, in := range []string{
		`3`, `"?"`, text(1), text(1, 2, 3), text(0, 0, 0, 0), text(0, 0, 0, 2, 0, 0, 0, 1), text(0, 0, 0, 2, 0, 0, 0, 2),
		text(make([]byte, 4*ExactUsers+4)...), text(make([]byte, packedSize+1)...), text(full...),
	} {
		d := counted(1 << 32)
		if err := json.Unmarshal([]byte(in), &d); err == nil {
			t.Errorf("%.60s was accepted as %d users, want an error", in, d.Count())
		}
	}
}

// What only a liar sends must not crash.
func TestDistinctOfFullRegisters(t *testing.T) {
	d := Distinct{ranks: new([registers]uint8)}
	if got := d.Count(); got != 0 {
		t.Errorf("empty registers count %d, want 0", got)
	}
	for i := range d.ranks {
		d.ranks[i] = maxRank
	}
	if got := d.Count(); got != 1<<32 {
		t.Errorf("full registers count %d, want 2³²", got)
	}
}

// However many goroutines count, the result is that of one.
func TestDistinctUnderConcurrency(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	for _, n := range []int{20, ExactUsers, 2000} {
		users := hashes(r, n)
		var live liveDistinct
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				for j := range users {
					live.add(mark(users[(j*(2*i+1)+i)%n]))
					live.add(mark(users[j]))
				}
			})
		}
		wg.Wait()
		var sum distinctSum
		live.addTo(&sum)
		if diff := cmp.Diff(counted(users...), sum.distinct()); diff != "" {
			t.Errorf("%d users (-want +got)\n%s", n, diff)
		}
	}
}
