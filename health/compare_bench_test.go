package health_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/switchback-proxy/switchback/health"
)

// busySecond is a second of 500 requests, one in twenty of them the canary's, with all that cells can hold.
func busySecond(rng *rand.Rand) *health.Second {
	sum := new(health.Second)
	for i := range 500 {
		arm := health.Baseline
		if i%20 == 0 {
			arm = health.Canary
		}
		g := rng.IntN(64)
		failed := uint32(0)
		if rng.IntN(100) == 0 {
			failed = 1
		}
		bucket := uint8(35 + rng.IntN(15))
		times := []health.Bin{{Bucket: bucket, N: 1}}
		for a := range health.Age(health.NumAges) {
			c := &sum.Arms[arm][a][g]
			c.N++
			c.Failed += failed
			if a == health.AgeLate || a == health.AgeMinute {
				c.Alive++
			}
			if a.HasTimes() && failed == 0 {
				c.Latency, c.TTFB = append(c.Latency, times...), append(c.TTFB, times...)
			}
		}
	}
	return sum
}

// BenchmarkFold is what a second costs whoever folds: every other one closes a block of each age.
func BenchmarkFold(b *testing.B) {
	settings, limits := health.DefaultSettings(), strictLimits()
	judge := health.NewJudge()
	judge.Begin(health.Trial{Epoch: 1, Settings: &settings, Limits: &limits})
	rng := rand.New(rand.NewPCG(1, 2))
	seconds := make([]*health.Second, 64)
	for i := range seconds {
		seconds[i] = busySecond(rng)
	}
	at := int64(1)
	for ; at < 1000; at++ {
		judge.Fold(at, time.Second, seconds[at%64])
	}
	b.ReportAllocs()
	for b.Loop() {
		judge.Fold(at, time.Second, seconds[at%64])
		at++
	}
}

func BenchmarkVerdict(b *testing.B) {
	settings, limits := health.DefaultSettings(), strictLimits()
	judge := health.NewJudge()
	judge.Begin(health.Trial{Epoch: 1, Settings: &settings, Limits: &limits})
	rng := rand.New(rand.NewPCG(1, 2))
	for at := range int64(1000) {
		judge.Fold(at, time.Second, busySecond(rng))
	}
	b.ReportAllocs()
	for b.Loop() {
		judge.Verdict()
	}
}

func BenchmarkMarshal(b *testing.B) {
	judge := health.NewJudge()
	b.ReportAllocs()
	for b.Loop() {
		doc, err := judge.MarshalBinary()
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(len(doc)), "bytes")
	}
}
