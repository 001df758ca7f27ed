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
	w.Record(epoch, o)
	b.ReportAllocs()
	for b.Loop() {
		w.Record(epoch, o)
	}
}

func BenchmarkRecordParallel(b *testing.B) {
	w := health.NewWindow(strictLimits(), new(health.Totals))
	o := health.Outcome{Class: health.Success, Answered: true, TTFB: 300 * time.Millisecond, Total: 2 * time.Second}
	w.Record(epoch, o)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			w.Record(epoch, o)
		}
	})
}

func BenchmarkEvidence(b *testing.B) {
	l := strictLimits()
	w := health.NewWindow(l, nil)
	now := epoch
	for range 12_000 {
		now = now.Add(5 * time.Millisecond)
		w.Record(now, health.Outcome{Class: health.Success, Answered: true, TTFB: 300 * time.Millisecond, Total: 2 * time.Second})
	}
	b.ReportAllocs()
	for b.Loop() {
		w.Evidence(now, l, nil)
	}
}

func BenchmarkJudge(b *testing.B) {
	l := strictLimits()
	canary, baseline := health.NewWindow(l, nil), health.NewWindow(l, nil)
	now := epoch
	for i := range 6000 {
		now = now.Add(10 * time.Millisecond)
		o := health.Outcome{Class: health.Success, Answered: true, TTFB: 300 * time.Millisecond, Total: 2 * time.Second}
		baseline.Record(now, o)
		if i%3 == 0 {
			o.Class, o.Cause = health.Failure, health.CauseStatus
		}
		canary.Record(now, o)
	}
	c, s := canary.Evidence(now, l, nil), baseline.Evidence(now, l, nil)
	b.ReportAllocs()
	for b.Loop() {
		health.Judge(l, c, s)
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
