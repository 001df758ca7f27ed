package health

import "time"

// A cohort is what arrived in one second. It is looked at when its requests have reached a certain age, and never when
// they end: what ends first of a new version's requests are its fast failures.

// Age is one of the ages at which a cohort is looked at.
type Age uint8

// The ages. A request is judged at exactly its age: what becomes of it later changes nothing that was said of it earlier.
const (
	// AgeFast is 2 s, for failures, which are mostly fast.
	AgeFast Age = iota
	// AgeSlow is 10 s, for failures that take longer, clients that leave, and times up to 10 s.
	AgeSlow
	// AgeLate is 120 s, for answers that began well and broke off, clients that leave, and times up to 2 min.
	AgeLate
	// AgeLong is 600 s, for times up to 10 min.
	AgeLong
	// AgeMinute is a minute of a request that is older than 120 s: whether it broke off in that minute. A request counts
	// for each of its minutes, as long as it lives.
	AgeMinute

	NumAges = 5
)

// Span returns how old a request is at the age; for AgeMinute, how long one of its minutes is.
func (a Age) Span() time.Duration {
	return [NumAges]time.Duration{2 * time.Second, 10 * time.Second, 120 * time.Second, 600 * time.Second, time.Minute}[a]
}

// HasTimes reports whether cells of the age hold distributions of times.
func (a Age) HasTimes() bool { return a == AgeSlow || a == AgeLate || a == AgeLong }

// Buckets is how many buckets there are for times, four to an octave: bucket i holds 2^(i/4) ≤ t < 2^((i+1)/4)
// milliseconds, but the first also all that is shorter and the last all that is longer.
const Buckets = 80

// Bin is a number of requests whose time is in one bucket.
type Bin struct {
	Bucket uint8
	N      uint32
}

// Cell is what a cohort's requests of one group of users came to by one age. Requests that were nobody's doing (4xx,
// 429, killed, closed by this proxy) are in no cell whose age they did not reach before they ended so.
type Cell struct {
	// N counts requests; Failed those of them that failed by the age. Not at AgeMinute.
	N, Failed uint32
	// Left counts those whose clients went away before the first payload byte, by the age. Only at AgeSlow and AgeLate.
	Left uint32
	// Alive counts those that were in progress at the age before (10 s for AgeLate, a minute ago for AgeMinute), Broken
	// those of them that failed since. Only there.
	Alive, Broken uint32
	// Latency and TTFB are how long requests that did not fail took to their end and to their first payload byte, at
	// most the age; those that go on, or whose client left, count with how long they had waited. Of an upgraded
	// connection, TTFB is the time of the handshake and Latency that to the agent's first message. While a client still
	// sends its request, it waits for nobody and is in neither. Ascending by bucket. Only at ages that have times.
	Latency, TTFB []Bin
}

// userGroups is how many groups users fall into, by their hashes.
const userGroups = 64

// Cohort is one variant's cells of one age, by group of users.
type Cohort [userGroups]Cell

// The two arms of a trial.
const (
	Baseline = iota
	Canary

	NumArms = 2
)

// Second is what matured within one second on one or more instances: of each arm and age the cohort that reached it.
// It is added to others of the same second by plain addition.
type Second struct {
	Arms [NumArms][NumAges]Cohort
}

// BucketOf returns the bucket of a time.
func BucketOf(d time.Duration) uint8 {
	low, high := 0, Buckets-1
	for low < high {
		if mid := (low + high + 1) / 2; d >= bucketStarts[mid] {
			low = mid
		} else {
			high = mid - 1
		}
	}
	return uint8(low)
}

// BucketStart returns the shortest time of a bucket; of the first, zero.
func BucketStart(bucket int) time.Duration {
	if bucket <= 0 {
		return 0
	}
	return bucketStarts[min(bucket, Buckets-1)]
}

// bucketStarts holds each bucket's shortest time in whole nanoseconds, from the four roots of an octave, so that every
// machine puts the same time into the same bucket.
var bucketStarts = func() (starts [Buckets]time.Duration) {
	roots := [4]time.Duration{1_000_000, 1_189_207, 1_414_214, 1_681_793}
	for i := range starts {
		starts[i] = roots[i%4] << (i / 4)
	}
	return starts
}()
