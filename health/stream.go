package health

import "time"

// stream is one question that every request answers with yes or no, yes being bad.
type stream uint8

// The streams. The first are compared between the arms, the others held against a limit.
const (
	streamFast      stream = iota // failed by 2 s
	streamSlow                    // failed by 10 s
	streamBroken                  // in progress at 10 s, failed by 120 s
	streamMinute                  // in progress after 120 s or more, failed in the minute that followed
	streamLatency75               // slower than the baseline's p75
	streamLatency95
	streamTTFB75 // the same to the first payload byte
	streamTTFB95
	streamLeft10  // its client left before the first payload byte by 10 s
	streamLeft120 // by 120 s

	limitFast    // max_error_rate, by 2 s
	limitSlow    // by 10 s
	limitLatency // max_latency
	limitTTFT    // max_ttft
	limitMean    // max_mean_latency
	limitLeft    // max_left

	numStreams  = int(limitLeft) + 1
	numCompared = int(limitFast)
)

// names are what people and metrics call streams.
var streamNames = [numStreams]string{
	"errors", "errors", "aborted", "aborted", "latency p75", "latency p95", "ttfb p75", "ttfb p95", "left", "left",
	"max_error_rate", "max_error_rate", "max_latency", "max_ttft", "max_mean_latency", "max_left",
}

// String returns what people call the stream.
func (s stream) String() string { return streamNames[s] }

// streamOf returns the first stream of a name.
func streamOf(name string) stream {
	for s := range stream(numStreams) {
		if streamNames[s] == name {
			return s
		}
	}
	return streamFast
}

// compared reports whether the stream compares the arms.
func (s stream) compared() bool { return int(s) < numCompared }

// isTime reports whether the stream compares times with quantiles of the baseline's.
func (s stream) isTime() bool { return s >= streamLatency75 && s <= streamTTFB95 }

// isSlow reports whether requests are bad for a stream that take long.
func (s stream) isSlow() bool {
	return s.isTime() || s == limitLatency || s == limitTTFT || s == limitMean
}

// isFailure reports whether requests are bad for a stream that fail.
func (s stream) isFailure() bool { return s <= streamMinute || s == limitFast || s == limitSlow }

// isTTFB reports whether the stream looks at the times to the first payload byte.
func (s stream) isTTFB() bool { return s == streamTTFB75 || s == streamTTFB95 || s == limitTTFT }

// tail is the share of the baseline that is slower than the quantile of a time stream.
func (s stream) tail() float64 {
	if s == streamLatency75 || s == streamTTFB75 {
		return 0.25
	}
	return 0.05
}

// component is one bet on one stream: a shift in log odds, and its part of the one budget that all share.
type component struct {
	stream stream
	shift  float64
	weight float64
}

// components lists all bets. Weights add up to 1, of which limits have 0.06; those of limits that are not set are not
// spent. Failures are mostly fast, so most is bet on what is known after 2 s.
var components = [...]component{
	{streamFast, 0.6, 0.095}, {streamFast, 1.8, 0.095}, {streamFast, 3.5, 0.095}, {streamFast, 6, 0.095},
	{streamSlow, 0.25, 0.06},
	{streamSlow, 0.6, 0.035}, {streamSlow, 1.8, 0.035}, {streamSlow, 3.5, 0.035}, {streamSlow, 6, 0.035},
	{streamBroken, 0.7, 0.0234}, {streamBroken, 2, 0.0233}, {streamBroken, 4.5, 0.0233},
	{streamMinute, 2, 0.015}, {streamMinute, 4.5, 0.015},
	{streamLatency75, 0.13, 0.02}, {streamLatency75, 0.5, 0.02}, {streamLatency75, 1.3, 0.02}, {streamLatency75, 3, 0.02},
	{streamLatency95, 0.22, 0.0166}, {streamLatency95, 0.8, 0.0167}, {streamLatency95, 2.5, 0.0167},
	{streamTTFB75, 0.13, 0.015}, {streamTTFB75, 0.5, 0.015}, {streamTTFB75, 1.3, 0.015}, {streamTTFB75, 3, 0.015},
	{streamTTFB95, 0.22, 0.01}, {streamTTFB95, 0.8, 0.01}, {streamTTFB95, 2.5, 0.01},
	{streamLeft10, 1.8, 0.01}, {streamLeft10, 4.5, 0.01},
	{streamLeft120, 1.8, 0.01}, {streamLeft120, 4.5, 0.01},
	{limitFast, 1, 0.006}, {limitFast, 3, 0.006}, {limitSlow, 1, 0.006}, {limitSlow, 3, 0.006},
	{limitLatency, 1.5, 0.01}, {limitTTFT, 1.5, 0.01}, {limitMean, 0, 0.008}, {limitLeft, 1.5, 0.008},
}

const numComponents = len(components)

// limitsWeight is what limits have of the budget.
const limitsWeight = 0.06

// fixedAge returns the age at which a stream is counted; false for those that look at times, whose age depends on them.
func (s stream) fixedAge() (Age, bool) {
	switch s {
	case streamFast, limitFast:
		return AgeFast, true
	case streamSlow, streamLeft10, limitSlow:
		return AgeSlow, true
	case streamBroken, streamLeft120, limitLeft:
		return AgeLate, true
	case streamMinute:
		return AgeMinute, true
	}
	return 0, false
}

// ageFor returns the youngest age at which a time is known to be exceeded or not; false if none is old enough.
func ageFor(t time.Duration) (Age, bool) {
	for _, a := range []Age{AgeSlow, AgeLate, AgeLong} {
		if t <= a.Span() {
			return a, true
		}
	}
	return 0, false
}

// kin returns the stream that compares what a limit is set on: the bursts of one are those of the other.
func (s stream) kin() stream {
	switch s {
	case limitFast:
		return streamFast
	case limitSlow:
		return streamSlow
	case limitLatency, limitMean:
		return streamLatency95
	case limitTTFT:
		return streamTTFB95
	case limitLeft:
		return streamLeft120
	}
	return s
}
