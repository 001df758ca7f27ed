package health

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
)

func TestQuotaAdmitsAUsersFirstFive(t *testing.T) {
	q := new(quota)
	for _, tick := range []int64{1000, 1001, 1 << 23, 1<<24 - 1, 1 << 24, 1<<24 + 1} {
		for _, user := range []uint64{1, 2, 1 << 63, 1<<64 - 1} {
			for n := range 12 {
				if got, want := q.admit(user, tick), n < quotaOf; got != want {
					t.Errorf("span %d, user %#x, request %d: admitted %t, want %t", tick, user, n+1, got, want)
				}
			}
		}
	}
}

// Of a crowd that shares a set less is admitted, never more, and never nothing.
func TestQuotaOverflows(t *testing.T) {
	q := new(quota)
	admitted := 0
	const crowd = 100
	for user := range uint64(crowd) {
		for range 20 {
			if q.admit(user<<32, 1000) { // all in set 0
				admitted++
			}
		}
	}
	if want := quotaWays * quotaOf; admitted != want {
		t.Errorf("%d users in one set: %d requests admitted, want %d", crowd, admitted, want)
	}
	if !q.admit(1, 1001) {
		t.Error("the next span is full from the beginning")
	}
}

// What the table's comment says of crowds.
func TestQuotaOfManyUsers(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 10))
	for _, tt := range []struct {
		users int
		most  float64 // share of users that are not admitted
	}{{1000, 0.0001}, {5000, 0.002}, {10_000, 0.08}} {
		q := new(quota)
		missed := 0
		for range tt.users {
			if user := r.Uint64(); !q.admit(user, 1000) {
				missed++
			}
		}
		if got := float64(missed) / float64(tt.users); got > tt.most {
			t.Errorf("%d users: %.4f of them are not admitted, want at most %g", tt.users, got, tt.most)
		}
	}
}

func TestQuotaUnderConcurrency(t *testing.T) {
	q := new(quota)
	const users = 500
	var admitted [users]atomic.Int32
	var wg sync.WaitGroup
	r := rand.New(rand.NewPCG(11, 12))
	hashes := hashes(r, users)
	for range 8 {
		wg.Go(func() {
			for range 3 {
				for i, user := range hashes {
					if q.admit(user, 1000) {
						admitted[i].Add(1)
					}
				}
			}
		})
	}
	wg.Wait()
	for i := range admitted {
		if got := admitted[i].Load(); got != quotaOf {
			t.Errorf("user %d: %d of 24 requests admitted, want %d", i, got, quotaOf)
		}
	}
}
