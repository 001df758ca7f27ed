package main

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"time"

	"github.com/switchback-proxy/switchback/health"
)

// The bars of what judging takes.
const (
	maxBlockUS   = 60.0 // processor time of a closed block, in µs
	maxJudgeKiB  = 48.0 // in memory, of a split
	maxStoredKiB = 24.0
	maxRecordNS  = 150.0 // processor time of an outcome
	// maxRecordAllocations is what a request may allocate, from its arrival on: entries are allocated many at once.
	maxRecordAllocations = 0.1
)

const (
	// costRate is how many requests a second are judged, of which the canary gets one in twenty.
	costRate = 500
	// costSeconds is of how many different seconds.
	costSeconds = 64
)

// judgeCost measures what it costs to judge a split, and to record what is judged.
func judgeCost(_ context.Context, _ *lab, s scale) ([]row, error) {
	seconds := busySeconds(costSeconds)
	block, err := costOfBlocks(seconds, s)
	if err != nil {
		return nil, err
	}
	memory, stored, err := sizeOfJudge(seconds)
	if err != nil {
		return nil, err
	}
	record, request, allocations, err := costOfRequests(s)
	if err != nil {
		return nil, err
	}
	return []row{
		costRow(fmt.Sprintf("judging %d requests a second: processor time per closed block", costRate), block, "µs", maxBlockUS),
		costRow("what a judge knows of a split, in memory", memory, "KiB", maxJudgeKiB),
		costRow("the same in the store", stored, "KiB", maxStoredKiB),
		{
			What:     "recording an outcome",
			Measured: fmt.Sprintf("%.2f allocations, %.0f ns", allocations, record),
			Baseline: fmt.Sprintf("with its arrival and first byte %.0f ns", request),
			Bar:      fmt.Sprintf("<= %.1f allocations, %.0f ns", maxRecordAllocations, maxRecordNS),
			OK:       allocations <= maxRecordAllocations && record <= maxRecordNS,
			Figures:  map[string]float64{"allocations": allocations, "ns": record, "request_ns": request},
		},
	}, nil
}

// costBegan is when the first request comes, by nobody's clock.
var costBegan = time.Unix(1_760_000_000, 0)

// costRow reports one figure, to a tenth.
func costRow(what string, figure float64, unit string, most float64) row {
	figure = math.Round(figure*10) / 10
	return row{
		What:     what,
		Measured: fmt.Sprintf("%.1f %s", figure, unit),
		Bar:      fmt.Sprintf("<= %.0f %s", most, unit),
		OK:       figure <= most,
		Figures:  map[string]float64{map[string]string{"µs": "us", "KiB": "kib"}[unit]: figure},
	}
}

// busySeconds returns what matures in n seconds on an instance with many requests, once some of them are two minutes old.
// At the greater ages it is the same.
func busySeconds(n int) []*health.Second {
	warmUp := int(health.AgeLate.Span()/time.Second) + 5
	rng := rand.New(rand.NewPCG(1, 2))
	var windows [health.NumArms]*health.Window
	for arm := range windows {
		windows[arm] = health.NewWindow(health.DefaultLimits(), nil)
		windows[arm].Mature(costBegan)
	}
	var seconds []*health.Second
	for at := range warmUp + n {
		now := costBegan.Add(time.Duration(at) * time.Second)
		for i := range costRate {
			arm := health.Baseline
			if i%20 == 0 {
				arm = health.Canary
			}
			pass(windows[arm], now.Add(time.Duration(i)*time.Second/costRate), rng)
		}
		sum := new(health.Second)
		for arm, w := range windows {
			matured, _ := w.Mature(now.Add(time.Second))
			sum.Arms[arm] = *matured[0].Ages
		}
		if at >= warmUp {
			seconds = append(seconds, sum)
		}
	}
	return seconds
}

// pass lets a request pass: it is answered after a tenth of its two seconds, more or less, and one in a hundred fails.
func pass(w *health.Window, at time.Time, rng *rand.Rand) {
	f := &health.Flight{Start: at}
	f.Arrive(w, rng.Uint64())
	o := health.Outcome{Class: health.Success, Answered: true, Total: time.Duration(rng.ExpFloat64() * float64(2*time.Second))}
	if rng.IntN(100) == 0 {
		o = health.Outcome{Class: health.Failure, Cause: health.CauseStatus, Total: o.Total}
	} else {
		o.TTFB = o.Total / 10
		f.Answer(at.Add(o.TTFB))
	}
	f.Record(at.Add(o.Total), o)
}

// newTrial returns a judge of a trial.
func newTrial() *health.Judge {
	j := health.NewJudge()
	j.Begin(health.Trial{Epoch: 1, Settings: &defaultSettings, Limits: &defaultLimits})
	return j
}

// What a trial is judged by, which is no part of a judge.
var (
	defaultSettings = health.DefaultSettings()
	defaultLimits   = health.DefaultLimits()
)

// costOfBlocks returns the processor time that it takes to judge what comes to a closed block, in µs: all that is folded,
// by the blocks that closed. Each age is measured alone, as the blocks of several close together, and the mean of those
// is taken that have any requests.
func costOfBlocks(seconds []*health.Second, s scale) (us float64, err error) {
	ages := 0
	for age := range health.Age(health.NumAges) {
		only, requests := onlyAge(seconds, age)
		if requests == 0 {
			continue
		}
		cost, err := costOfAge(only, s)
		if err != nil {
			return 0, err
		}
		us, ages = us+cost, ages+1
	}
	return us / float64(ages), nil
}

// onlyAge leaves of each second what matured of one age, and counts its requests.
func onlyAge(seconds []*health.Second, age health.Age) (only []*health.Second, requests uint32) {
	for _, s := range seconds {
		one := new(health.Second)
		for arm := range s.Arms {
			one.Arms[arm][age] = s.Arms[arm][age]
			for _, cell := range s.Arms[arm][age] {
				requests += cell.N + cell.Alive
			}
		}
		only = append(only, one)
	}
	return only, requests
}

// costOfAge returns the least processor time per closed block of some tries, in µs.
func costOfAge(seconds []*health.Second, s scale) (float64, error) {
	var tries []float64
	for range s.tries {
		j, blocks := newTrial(), 0
		used, err := ownTime(func() {
			for at := range int64(s.judged) {
				j.Fold(at+1, time.Second, seconds[at%int64(len(seconds))])
				if j.Changed() {
					blocks++
				}
			}
		})
		if err != nil {
			return 0, err
		}
		tries = append(tries, used.Seconds()*1e6/float64(blocks))
	}
	return slices.Min(tries), nil
}

// ownTime returns the processor time that this process uses for something, which what else the machine does changes little.
func ownTime(do func()) (time.Duration, error) {
	before, err := processorTime(os.Getpid())
	if err != nil {
		return 0, err
	}
	do()
	after, err := processorTime(os.Getpid())
	return after - before, err
}

// sizeOfJudge returns what a judge takes that has judged for a while, in memory and in the store, in KiB.
func sizeOfJudge(seconds []*health.Second) (memory, stored float64, err error) {
	const judges = 64
	before := heapInUse()
	all := make([]*health.Judge, judges)
	for i := range all {
		all[i] = newTrial()
		for at, second := range seconds {
			all[i].Fold(int64(at)+1, time.Second, second)
		}
	}
	memory = (heapInUse() - before) / judges / 1024
	doc, err := all[0].MarshalBinary()
	runtime.KeepAlive(all)
	runtime.KeepAlive(seconds)
	return memory, float64(len(doc)) / 1024, err
}

// heapInUse returns how many bytes are on the heap that are no garbage.
func heapInUse() float64 {
	for range 2 { // what the first leaves to finalizers and pools goes with the second
		runtime.GC()
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc)
}

// costOfRequests measures what it costs to record an outcome, and that with all else which counting adds to a request, in
// ns; the least of some tries. And how often a request allocates something.
func costOfRequests(s scale) (record, request, allocations float64, err error) {
	var records, requests []float64
	arrived := 0
	w := health.NewWindow(health.DefaultLimits(), new(health.Totals))
	flights := make([]health.Flight, s.judged)
	before := mallocs()
	for range s.tries {
		arriving, err := ownTime(func() { arrive(flights, w, &arrived) })
		if err != nil {
			return 0, 0, 0, err
		}
		ending, err := ownTime(func() { end(flights) })
		if err != nil {
			return 0, 0, 0, err
		}
		each := float64(len(flights))
		records = append(records, float64(ending)/each)
		requests = append(requests, float64(arriving+ending)/each)
	}
	allocations = float64(mallocs()-before) / float64(arrived)
	return slices.Min(records), slices.Min(requests), allocations, nil
}

// commonOutcome is what becomes of most requests.
var commonOutcome = health.Outcome{Class: health.Success, Answered: true, TTFB: 300 * time.Millisecond, Total: 2 * time.Second}

// arrive lets requests of many users arrive and have their first bytes, each after those that have arrived before.
func arrive(flights []health.Flight, w *health.Window, arrived *int) {
	for i := range flights {
		f := &flights[i]
		*f = health.Flight{Start: costBegan.Add(time.Duration(*arrived) * time.Second / costRate)}
		f.Arrive(w, uint64(*arrived)*0x9e3779b97f4a7c15)
		f.Answer(f.Start.Add(commonOutcome.TTFB))
		*arrived++
	}
}

// end lets the requests end.
func end(flights []health.Flight) {
	for i := range flights {
		flights[i].Record(flights[i].Start.Add(commonOutcome.Total), commonOutcome)
	}
}

// mallocs returns how many objects this process has allocated so far.
func mallocs() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.Mallocs
}
