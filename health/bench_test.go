package health_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/switchback-proxy/switchback/health"
)

func BenchmarkRecord(b *testing.B) {
	w := health.NewWindow(strictLimits(), new(health.Totals))
	o := health.Outcome{Class: health.Success, Answered: true, TTFB: 300 * time.Millisecond, Total: 2 * time.Second}
	record(w, epoch, o)
	b.ReportAllocs()
	for b.Loop() {
		record(w, epoch, o)
	}
}

func BenchmarkRecordParallel(b *testing.B) {
	w := health.NewWindow(strictLimits(), new(health.Totals))
	o := health.Outcome{Class: health.Success, Answered: true, TTFB: 300 * time.Millisecond, Total: 2 * time.Second}
	record(w, epoch, o)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			record(w, epoch, o)
		}
	})
}

// BenchmarkArrive is what counting its user adds to a request: when it arrives, and when it ends.
func BenchmarkArrive(b *testing.B) {
	for _, users := range []int{1, 50, 5000} {
		b.Run(fmt.Sprintf("%d users", users), func(b *testing.B) {
			w := health.NewWindow(strictLimits(), nil)
			w.Arrive(epoch, 1<<40)
			n := 0
			b.ReportAllocs()
			for b.Loop() {
				n++
				w.Arrive(epoch.Add(time.Duration(n%60)*time.Second), userOf(n%users))
			}
		})
	}
}

func BenchmarkRecordOfUsers(b *testing.B) {
	w := health.NewWindow(strictLimits(), new(health.Totals))
	o := health.Outcome{Class: health.Success, Answered: true, TTFB: 300 * time.Millisecond, Total: 2 * time.Second}
	n := 0
	b.ReportAllocs()
	for b.Loop() {
		n++
		o.User = userOf(n % 5000)
		record(w, epoch, o)
	}
}

func BenchmarkEvidence(b *testing.B) {
	w := health.NewWindow(strictLimits(), nil)
	now := epoch
	for range 12_000 {
		now = now.Add(5 * time.Millisecond)
		user := userOf(int(now.Sub(epoch) / (5 * time.Millisecond)))
		w.Arrive(now, user)
		record(w, now, health.Outcome{Class: health.Success, Answered: true, TTFB: 300 * time.Millisecond, Total: 2 * time.Second, User: user})
	}
	b.ReportAllocs()
	for b.Loop() {
		w.Evidence(now, nil)
	}
}

func BenchmarkFlights(b *testing.B) {
	for _, open := range []int{0, 1000, 100_000} {
		b.Run(fmt.Sprintf("%d open", open), func(b *testing.B) {
			var flights health.Flights
			for range open {
				flights.Add(new(health.Flight))
			}
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				f := new(health.Flight)
				for pb.Next() {
					flights.Add(f)
					flights.Remove(f)
				}
			})
		})
	}
}

// BenchmarkRequest is all that counting adds to a request of one of many users: it arrives, is answered and ends.
func BenchmarkRequest(b *testing.B) {
	w := health.NewWindow(strictLimits(), new(health.Totals))
	o := health.Outcome{Class: health.Success, Answered: true, TTFB: 300 * time.Millisecond, Total: 2 * time.Second}
	flights := make([]health.Flight, 1024)
	n := 0
	b.ReportAllocs()
	for b.Loop() {
		f := &flights[n%len(flights)]
		*f = health.Flight{Start: epoch.Add(time.Duration(n) * 2 * time.Millisecond)} // 500 a second
		f.Arrive(w, userOf(n))
		f.Answer(f.Start.Add(o.TTFB))
		f.Record(f.Start.Add(o.Total), o)
		n++
	}
}

// BenchmarkMature is what it costs, once a second and variant, to read a window of 200 requests a second.
func BenchmarkMature(b *testing.B) {
	w := health.NewWindow(strictLimits(), nil)
	at := 0 * time.Second
	second := func() {
		for range 200 {
			f := &health.Flight{Start: epoch.Add(at)}
			f.Arrive(w, 0)
			f.Answer(f.Start.Add(300 * time.Millisecond))
			f.Record(f.Start.Add(2*time.Second), health.Outcome{Class: health.Success})
		}
		at += time.Second
		w.Mature(epoch.Add(at - time.Second))
	}
	for range 700 {
		second()
	}
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		second()
		b.StartTimer()
		w.Mature(epoch.Add(at))
	}
}
