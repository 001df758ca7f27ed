package health_test

import (
	"math/rand/v2"
	"syscall"
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

// busyJudge is a judge that has folded as many busy seconds, and those seconds.
func busyJudge(folded int64) (*health.Judge, *[64]*health.Second) {
	settings, limits := health.DefaultSettings(), strictLimits()
	judge := health.NewJudge()
	judge.Begin(health.Trial{Epoch: 1, Settings: &settings, Limits: &limits})
	rng := rand.New(rand.NewPCG(1, 2))
	seconds := new([64]*health.Second)
	for i := range seconds {
		seconds[i] = busySecond(rng)
	}
	for at := range folded {
		judge.Fold(at+1, time.Second, seconds[at%64])
	}
	return judge, seconds
}

// BenchmarkFold is what a second costs whoever folds: every other one closes a block of each of the five ages. Beside
// the time it reports the processor's, for each block, which other processes disturb less.
func BenchmarkFold(b *testing.B) {
	at := int64(1000)
	judge, seconds := busyJudge(at)
	b.ReportAllocs()
	before := cpuTime(b)
	for b.Loop() {
		at++
		judge.Fold(at, time.Second, seconds[at%64])
	}
	blocks := float64(b.N) * health.NumAges / 2
	b.ReportMetric(float64(cpuTime(b)-before)/blocks, "cpu-ns/block")
}

// cpuTime is what this process has used of processors.
func cpuTime(b *testing.B) time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

func BenchmarkVerdict(b *testing.B) {
	judge, _ := busyJudge(1000)
	b.ReportAllocs()
	before := cpuTime(b)
	for b.Loop() {
		judge.Verdict()
	}
	b.ReportMetric(float64(cpuTime(b)-before)/float64(b.N), "cpu-ns/op")
}

func BenchmarkMarshal(b *testing.B) {
	judge, _ := busyJudge(1000)
	b.ReportAllocs()
	size, before := 0, cpuTime(b)
	for b.Loop() {
		doc, err := judge.MarshalBinary()
		if err != nil {
			b.Fatal(err)
		}
		size = len(doc)
	}
	b.ReportMetric(float64(size), "bytes")
	b.ReportMetric(float64(cpuTime(b)-before)/float64(b.N), "cpu-ns/op")
}
