package splitter_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"

	"github.com/switchback-proxy/switchback/splitter"
)

// The vectors were computed by another implementation of XXH64. They are the contract with every user who was ever
// placed: never regenerate them.
func TestBucketVectors(t *testing.T) {
	data, err := os.ReadFile("testdata/buckets.json")
	if err != nil {
		t.Fatal(err)
	}
	var vectors []struct {
		Salt, Key string
		Bucket    uint32
	}
	if err := json.Unmarshal(data, &vectors); err != nil {
		t.Fatal(err)
	}
	if len(vectors) == 0 {
		t.Fatal("no vectors")
	}
	for _, v := range vectors {
		if got := splitter.NewHasher(v.Salt).Bucket(v.Key); got != v.Bucket {
			t.Errorf("salt %q, key %q: got bucket %d, want %d", v.Salt, v.Key, got, v.Bucket)
		}
	}
}

func TestBucketDoesNotAllocate(t *testing.T) {
	h := splitter.NewHasher("salt")
	if got := testing.AllocsPerRun(1000, func() { h.Bucket("3f2504e0-4f89-41d3-9a0c-0305e82c3301") }); got != 0 {
		t.Errorf("got %v allocations, want 0", got)
	}
}

// samples is how many keys each statistical test draws.
const samples = 1_000_000

// Critical values of chi-square: the greatest that chance alone exceeds once in a million. The keys are the same in
// every run, so a test that passes once always does.
const (
	critical99  = 181  // 99 degrees of freedom
	critical999 = 1226 // 999 degrees of freedom
)

func TestBucketsAreUniform(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	kinds := map[string]func(i int) string{
		"sequential": func(i int) string { return "user-" + strconv.Itoa(i) },
		"numeric":    func(i int) string { return strconv.Itoa(10_000_000 + 7*i) },
		"snowflake":  func(i int) string { return strconv.Itoa(1_000_000_000_000_000_000 + i<<22) },
		"uuid": func(int) string {
			a, b := random.Uint64(), random.Uint64()
			return fmt.Sprintf("%08x-%04x-4%03x-%04x-%012x", a>>32, a>>16&0xffff, a&0xfff, b>>62|0x8<<12|b>>48&0x3fff, b&(1<<48-1))
		},
		"e-mail": func(i int) string {
			return []string{"anna", "jan", "li", "omar"}[i%4] + "." + strconv.Itoa(i/4) + "@example.com"
		},
	}
	const bins = 1000
	salts := []string{"a", "5f2b9c0d1e3a4b67"}
	for kind, key := range kinds {
		counts := make([][bins]uint64, len(salts))
		hashers := []splitter.Hasher{splitter.NewHasher(salts[0]), splitter.NewHasher(salts[1])}
		for i := range samples {
			k := key(i)
			for j, h := range hashers {
				counts[j][h.Bucket(k)*bins/splitter.Buckets]++
			}
		}
		for j, salt := range salts {
			if got := chiSquare(counts[j][:]); got > critical999 {
				t.Errorf("%s keys, salt %q: got chi-square %d over %d bins, want at most %d", kind, salt, got, bins, critical999)
			}
		}
	}
}

// A user who is among the first tenth under one salt must be anywhere under the next.
func TestSaltsAreIndependent(t *testing.T) {
	pairs := [][2]string{
		{"5f2b9c0d1e3a4b67", "9c01d3b27aa4e518"},
		{"5f2b9c0d1e3a4b67", "5f2b9c0d1e3a4b68"},
		{"", "a"},
		{"a", "aa"},
		{"trial-1", "trial-10"},
	}
	for _, pair := range pairs {
		const deciles = 10
		first, second := splitter.NewHasher(pair[0]), splitter.NewHasher(pair[1])
		var counts [deciles * deciles]uint64
		for i := range samples {
			key := "user-" + strconv.Itoa(i)
			row, column := first.Bucket(key)*deciles/splitter.Buckets, second.Bucket(key)*deciles/splitter.Buckets
			counts[row*deciles+column]++
		}
		if got := chiSquare(counts[:]); got > critical99 {
			t.Errorf("salts %q: got chi-square %d over %d pairs of deciles, want at most %d", pair, got, len(counts), critical99)
		}
	}
}

// chiSquare returns Σ (observed − expected)² / expected for equally likely bins, in integers.
func chiSquare(counts []uint64) uint64 {
	const total = samples
	expected := total / uint64(len(counts))
	sum := uint64(0)
	for _, n := range counts {
		difference := max(n, expected) - min(n, expected)
		sum += difference * difference
	}
	return sum / expected
}

func BenchmarkBucket(b *testing.B) {
	h := splitter.NewHasher("5f2b9c0d1e3a4b67")
	for _, key := range []string{"42", "user-123456", "3f2504e0-4f89-41d3-9a0c-0305e82c3301"} {
		b.Run(key, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				h.Bucket(key)
			}
		})
	}
}
