package health_test

import (
	"time"

	"github.com/switchback-proxy/switchback/health"
)

// epoch is when the tests' virtual time begins.
var epoch = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// strictLimits sets every kind of limit.
func strictLimits() health.Limits {
	l := health.DefaultLimits()
	l.MaxMeanLatency = health.Duration(5 * time.Second)
	l.MaxLatency = &health.QuantileLimit{Quantile: 0.95, Max: health.Duration(8 * time.Second)}
	l.MaxTTFT = &health.QuantileLimit{Quantile: 0.95, Max: health.Duration(3 * time.Second)}
	return l
}

// record counts an outcome whose request nobody has entered.
func record(w *health.Window, now time.Time, o health.Outcome) {
	f := health.Flight{Window: w, Start: now.Add(-o.Total), User: o.User, Surplus: o.Surplus}
	f.Record(now, o)
}
