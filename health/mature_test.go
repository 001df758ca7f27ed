package health_test

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/switchback-proxy/switchback/health"
)

// never is when something happens that does not.
const never = -1

// life is a request of the model: when it began, and how long after that all else happened to it.
type life struct {
	start                           time.Duration // since epoch
	user                            uint64
	upload, answer, message, ending time.Duration
	upgraded                        bool
	outcome                         health.Outcome
	flight                          health.Flight
}

// fates are all that can become of a request.
var fates = []health.Outcome{
	{Class: health.Success}, {Class: health.Success}, {Class: health.Success},
	{Class: health.Failure, Cause: health.CauseStatus},
	{Class: health.Failure, Cause: health.CauseReset, Rescued: true},
	{Cause: health.CauseThrottled}, {Cause: health.CauseKilled}, {Class: 9, Cause: 99},
	{Cause: health.CauseClientLeft},
	{Cause: health.CauseLeft},
}

// span draws a time in whole milliseconds: short and long ones alike, and often exactly an age.
func span(rng *rand.Rand) time.Duration {
	ages := []time.Duration{2, 10, 120, 180, 240, 600, 660, 900}
	at := ages[rng.IntN(len(ages))] * time.Second
	switch rng.IntN(4) {
	case 0:
		return at + time.Duration(rng.IntN(3)-1)*time.Millisecond
	case 1:
		return time.Duration(rng.IntN(3000)) * time.Millisecond
	default:
		return time.Duration(rng.Int64N(int64(at/time.Millisecond))) * time.Millisecond
	}
}

// draw makes up a request.
func draw(rng *rand.Rand) *life {
	l := &life{start: time.Duration(rng.Int64N(int64(200 * time.Second))), user: rng.Uint64() | 1<<63,
		upload: never, answer: never, message: never, ending: never, outcome: fates[rng.IntN(len(fates))]}
	end := span(rng)
	if rng.IntN(10) > 0 {
		l.ending = end
	}
	if l.outcome.Cause != health.CauseLeft && rng.IntN(5) > 0 {
		l.answer = time.Duration(rng.Int64N(int64(end/time.Millisecond)+1)) * time.Millisecond
	}
	switch rng.IntN(4) {
	case 0: // sent before it is answered, or for ever
		l.upload = span(rng)
		if l.answer != never {
			l.upload = min(l.upload, l.answer)
		} else if l.ending != never {
			l.upload = min(l.upload, l.ending+1)
		}
	case 1: // answered before it is sent
		if l.answer != never {
			l.answer = min(l.answer, time.Second)
			l.upload = l.answer + time.Duration(1+rng.IntN(100_000))*time.Millisecond
		}
	case 2:
		l.upgraded = l.answer != never
		if l.upgraded && rng.IntN(3) > 0 {
			l.message = l.answer + time.Duration(rng.Int64N(int64((end-l.answer)/time.Millisecond)+1))*time.Millisecond
		}
	}
	return l
}

// moment is something that happens.
type moment struct {
	at time.Duration
	do func(now time.Time)
}

// moments lists what happens to the request.
func (l *life) moments(w *health.Window) []moment {
	f := &l.flight
	list := []moment{{0, func(now time.Time) {
		f.Start = now
		f.Arrive(w, l.user)
		if l.upload != never {
			f.Upload()
		}
	}}}
	if l.upload != never && (l.ending == never || l.upload <= l.ending) {
		list = append(list, moment{l.upload, f.Uploaded})
	}
	if l.answer != never {
		list = append(list, moment{l.answer, func(now time.Time) {
			if l.upgraded {
				f.Upgrade()
			}
			f.Answer(now)
		}})
	}
	if l.message != never {
		list = append(list, moment{l.message, f.FirstMessage}, moment{l.message + time.Millisecond, f.FirstMessage})
	}
	if l.ending != never {
		list = append(list, moment{l.ending, func(now time.Time) { f.Record(now, l.outcome) }})
	}
	for i := range list {
		list[i].at += l.start
	}
	return list
}

func (l *life) endedBy(age time.Duration) bool { return l.ending != never && l.ending <= age }

// fails, leaves and isNobodys say what became of the request by an age.
func (l *life) fails(age time.Duration) bool {
	return l.endedBy(age) && l.outcome.Class == health.Failure
}

func (l *life) leaves(age time.Duration) bool {
	return l.endedBy(age) && l.outcome.Class == health.Excluded && l.outcome.Cause == health.CauseLeft
}

func (l *life) isNobodys(age time.Duration) bool {
	return l.endedBy(age) && l.outcome.Class != health.Success && l.outcome.Class != health.Failure &&
		l.outcome.Cause != health.CauseLeft && l.outcome.Cause != health.CauseClientLeft
}

// count adds to a cell what the request is at one of the first four ages.
func (l *life) count(cell *health.Cell, age health.Age) {
	at := age.Span()
	if l.isNobodys(at) {
		return
	}
	cell.N++
	if l.fails(at) {
		cell.Failed++
	}
	if age == health.AgeLate && !l.endedBy(10*time.Second) {
		cell.Alive++
		if l.fails(at) {
			cell.Broken++
		}
	}
	if l.leaves(at) && (age == health.AgeSlow || age == health.AgeLate) {
		cell.Left++
	}
	if age == health.AgeFast || l.fails(at) {
		return
	}
	if latency, ttfb, ok := l.waited(at); ok {
		cell.Latency = model(cell.Latency, latency)
		cell.TTFB = model(cell.TTFB, ttfb)
	}
}

// waited is how long the client had waited at an age.
func (l *life) waited(at time.Duration) (latency, ttfb time.Duration, ok bool) {
	until := at
	if l.endedBy(at) {
		until = l.ending
	}
	from := time.Duration(0)
	if l.upload != never && (l.answer == never || l.upload <= l.answer) {
		if from = l.upload; from > until {
			return 0, 0, false
		}
	}
	latency, ttfb = until, until
	if l.answer != never {
		ttfb = min(ttfb, max(l.answer, from))
	}
	if l.message != never {
		latency = min(latency, l.message)
	}
	return latency - from, ttfb - from, true
}

// model adds a time to bins, in the simplest way.
func model(bins []health.Bin, d time.Duration) []health.Bin {
	for i := range bins {
		if bins[i].Bucket == health.BucketOf(d) {
			bins[i].N++
			return bins
		}
	}
	bins = append(bins, health.Bin{Bucket: health.BucketOf(d), N: 1})
	slices.SortFunc(bins, func(a, b health.Bin) int { return cmp.Compare(a.Bucket, b.Bucket) })
	return bins
}

// want counts from the list of all requests what matures in a second.
func want(lives []*life, second int) (ages [health.NumAges]health.Cohort) {
	for _, l := range lives {
		group := l.user >> 32 % 64
		reached := second - int(l.start/time.Second) // the age in whole seconds
		for age := health.AgeFast; age < health.AgeMinute; age++ {
			if reached == int(age.Span()/time.Second) {
				l.count(&ages[age][group], age)
			}
		}
		at := time.Duration(reached) * time.Second
		if reached < 180 || reached%60 != 0 || l.endedBy(at-time.Minute) || l.isNobodys(at) {
			continue
		}
		cell := &ages[health.AgeMinute][group]
		cell.Alive++
		if l.fails(at) {
			cell.Broken++
		}
	}
	return ages
}

// Every cell of every second is what counting the requests one by one comes to.
func TestCohortsAreCounts(t *testing.T) {
	for seed := range uint64(3) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 1))
			w := health.NewWindow(health.DefaultLimits(), nil)
			var lives []*life
			var all []moment
			for range 400 {
				lives = append(lives, draw(rng))
				all = append(all, lives[len(lives)-1].moments(w)...)
			}
			slices.SortStableFunc(all, func(a, b moment) int { return cmp.Compare(a.at, b.at) })
			w.Mature(epoch)
			second := 0
			for now := time.Duration(0); second < 1200; {
				now += time.Duration(rng.Int64N(int64(2 * time.Second)))
				if rng.IntN(50) == 0 {
					now += 25 * time.Second
				}
				for len(all) > 0 && all[0].at <= now {
					all[0].do(epoch.Add(all[0].at))
					all = all[1:]
				}
				seconds, lost := w.Mature(epoch.Add(now))
				if lost > 0 {
					t.Fatalf("at %s: %d seconds are lost", now, lost)
				}
				for _, got := range seconds {
					if want := epoch.Add(time.Duration(second) * time.Second); !got.Start.Equal(want) {
						t.Fatalf("a second begins at %s, want %s", got.Start, want)
					}
					if want := want(lives, second); !reflect.DeepEqual(*got.Ages, want) {
						t.Fatalf("second %d: (-want +got)\n%s", second, gocmp.Diff(want, *got.Ages))
					}
					second++
				}
				if behind := int(now/time.Second) - second; behind != 0 {
					t.Fatalf("at %s: %d seconds are missing", now, behind)
				}
			}
		})
	}
}

// totals adds up all cells of each age.
type totals [health.NumAges]health.Cell

func (t *totals) add(seconds []health.Matured) {
	for i := range seconds {
		for age := range t {
			for g := range seconds[i].Ages[age] {
				cell := &seconds[i].Ages[age][g]
				if cell.N == 0 && cell.Alive == 0 {
					continue
				}
				t[age].N += cell.N
				t[age].Failed += cell.Failed
				t[age].Left += cell.Left
				t[age].Alive += cell.Alive
				t[age].Broken += cell.Broken
			}
		}
	}
}

// live lets a window mature from after one time to another.
func live(w *health.Window, from, to time.Duration) (sum totals) {
	for at := from; at < to; {
		at = min(at+20*time.Second, to)
		seconds, _ := w.Mature(epoch.Add(at))
		sum.add(seconds)
	}
	return sum
}

// begin lets a request arrive.
func begin(w *health.Window, at time.Duration, user uint64) *health.Flight {
	f := &health.Flight{Start: epoch.Add(at)}
	f.Arrive(w, user)
	return f
}

func TestASecondHasSoManyRequests(t *testing.T) {
	w := health.NewWindow(health.DefaultLimits(), nil)
	w.Mature(epoch)
	for range 1500 {
		begin(w, 0, 0).Record(epoch.Add(time.Millisecond), failure())
	}
	begin(w, time.Second, 0).Record(epoch.Add(time.Second), failure())
	if got, want := live(w, 0, 20*time.Second)[health.AgeSlow].Failed, uint32(1024+1); got != want {
		t.Errorf("of 1500 failures in one second, and one more in the next, %d are evidence, want %d", got, want)
	}
}

func TestSurplusIsInNoCell(t *testing.T) {
	w := health.NewWindow(health.DefaultLimits(), nil)
	w.Mature(epoch)
	for range 9 {
		begin(w, 0, userOf(1))
	}
	begin(w, 0, userOf(2)).Withdraw()
	if got, want := live(w, 0, 5*time.Second)[health.AgeFast].N, uint32(5); got != want {
		t.Errorf("of 9 requests of one user and one that was withdrawn %d count, want %d", got, want)
	}
}

// A user has one group, and those that are nobody's spread over all.
func TestGroupsOfUsers(t *testing.T) {
	w := health.NewWindow(health.DefaultLimits(), nil)
	w.Mature(epoch)
	for i := range 1000 {
		begin(w, time.Duration(i%5)*10*time.Second, userOf(7))
		begin(w, 60*time.Second, 0)
	}
	used := func(from, to time.Duration) (groups int) {
		var cohort [64]uint32
		for at := from; at <= to; at += time.Second {
			seconds, _ := w.Mature(epoch.Add(at))
			for i := range seconds {
				for g := range cohort {
					cohort[g] += seconds[i].Ages[health.AgeFast][g].N
				}
			}
		}
		for _, n := range cohort {
			groups += int(min(n, 1))
		}
		return groups
	}
	if got := used(0, 59*time.Second); got != 1 {
		t.Errorf("one user is in %d groups, want 1", got)
	}
	if got := used(59*time.Second, 90*time.Second); got < 60 {
		t.Errorf("1000 requests without a user are in %d groups, want nearly all of 64", got)
	}
}

// Whoever comes late gets what is recent, once, and is told what is lost.
func TestMatureCatchesUp(t *testing.T) {
	w := health.NewWindow(health.DefaultLimits(), nil)
	if seconds, lost := w.Mature(epoch); len(seconds) != 0 || lost != 0 {
		t.Errorf("a fresh window has %d seconds, %d lost, want none", len(seconds), lost)
	}
	begin(w, 0, 0)
	begin(w, 60*time.Second, 0)
	for _, tt := range []struct {
		at         time.Duration
		first, n   int
		lost, fast int
	}{
		{999 * time.Millisecond, 0, 0, 0, 0},
		{time.Second, 0, 1, 0, 0},
		{time.Second, 0, 0, 0, 0},
		{500 * time.Millisecond, 0, 0, 0, 0},
		{101 * time.Second, 71, 30, 70, 0}, // both matured before
		{102 * time.Second, 101, 1, 0, 0},
		{5000 * time.Second, 4970, 30, 4868, 0},
		{5030 * time.Second, 5000, 30, 0, 0},
	} {
		seconds, lost := w.Mature(epoch.Add(tt.at))
		if len(seconds) != tt.n || lost != tt.lost {
			t.Errorf("at %s: %d seconds, %d lost, want %d, %d", tt.at, len(seconds), lost, tt.n, tt.lost)
		}
		if tt.n > 0 && len(seconds) > 0 && !seconds[0].Start.Equal(epoch.Add(time.Duration(tt.first)*time.Second)) {
			t.Errorf("at %s: the first second is %s, want the %d.", tt.at, seconds[0].Start, tt.first)
		}
		var sum totals
		if sum.add(seconds); sum[health.AgeFast].N != uint32(tt.fast) {
			t.Errorf("at %s: %d requests matured, want %d", tt.at, sum[health.AgeFast].N, tt.fast)
		}
	}
}

// Windows that are aligned have the same seconds, whenever each is first used.
func TestAlignedWindowsShareSeconds(t *testing.T) {
	a, b := health.NewWindow(health.DefaultLimits(), nil), health.NewWindow(health.DefaultLimits(), nil)
	origin := epoch.Add(123 * time.Millisecond)
	a.Align(origin)
	b.Align(origin)
	a.Mature(epoch.Add(time.Second + 700*time.Millisecond))
	b.Mature(epoch.Add(3 * time.Second / 2))
	now := epoch.Add(10*time.Second + 100*time.Millisecond)
	inA, _ := a.Mature(now)
	inB, _ := b.Mature(now)
	if len(inA) != 8 || len(inB) != 8 || !inA[0].Start.Equal(inB[0].Start) || !inA[0].Start.Equal(origin.Add(time.Second)) {
		t.Errorf("the windows have %d and %d seconds, want 8 each, a second after the origin on", len(inA), len(inB))
	}
}

// A connection that lives for so long that its end is kept to the second only (18.6 h) counts in each of its minutes, and
// breaks in its last one.
func TestConnectionOfDays(t *testing.T) {
	w := health.NewWindow(health.DefaultLimits(), nil)
	w.Mature(epoch)
	fine, broken := begin(w, 0, userOf(1)), begin(w, 300*time.Millisecond, userOf(2))
	for _, f := range []*health.Flight{fine, broken} {
		f.Upgrade()
		f.Answer(f.Start)
	}
	const early, late, end = 12*time.Minute + 30*time.Second, 19*time.Hour + 30*time.Second, 19*time.Hour + 450*time.Second
	minutes := live(w, 0, early)[health.AgeMinute]
	if want := (health.Cell{Alive: 2 * (12 - 2)}); !gocmp.Equal(minutes, want) {
		t.Errorf("in twelve minutes: got %+v, want %+v", minutes, want)
	}
	w.Mature(epoch.Add(late)) // nobody has looked for hours
	minutes = live(w, late, end)[health.AgeMinute]
	if want := (health.Cell{Alive: 2 * 7}); !gocmp.Equal(minutes, want) {
		t.Errorf("in seven minutes of the twentieth hour: got %+v, want %+v", minutes, want)
	}
	fine.Record(epoch.Add(end), health.Outcome{Class: health.Success, Upgraded: true})
	broken.Record(epoch.Add(end), health.Outcome{Class: health.Failure, Cause: health.CauseReset, Upgraded: true})
	minutes = live(w, end, end+5*time.Minute)[health.AgeMinute]
	if want := (health.Cell{Alive: 2, Broken: 1}); !gocmp.Equal(minutes, want) {
		t.Errorf("in the last minute: got %+v, want %+v", minutes, want)
	}
}

// Requests that say everything at once, while somebody reads, are all counted.
func TestLedgerUnderConcurrency(t *testing.T) {
	const writers, each, seconds = 8, 50, 20
	w := health.NewWindow(health.DefaultLimits(), nil)
	w.Mature(epoch)
	var clock atomic.Int64
	now := func() time.Time { return epoch.Add(time.Duration(clock.Load())) }
	var sum totals
	matured := 0
	read := func() {
		more, _ := w.Mature(now())
		sum.add(more)
		matured += len(more)
	}
	for range seconds {
		var wg sync.WaitGroup
		for range writers {
			wg.Go(func() {
				for i := range each {
					f := &health.Flight{Start: now()}
					f.Arrive(w, 0)
					f.Upload()
					var both sync.WaitGroup
					both.Go(func() { f.Answer(now()) })
					both.Go(func() { f.Uploaded(now()) })
					o := health.Outcome{Class: health.Success}
					if i%2 == 0 {
						o = failure()
					}
					f.Record(now(), o)
					both.Wait()
				}
			})
		}
		wg.Go(read)
		wg.Wait()
		clock.Add(int64(time.Second))
		read()
	}
	for range 700 {
		clock.Add(int64(time.Second))
		read()
	}
	const all = writers * each * seconds
	for age := health.AgeFast; age < health.AgeMinute; age++ {
		if sum[age].N != all || sum[age].Failed != all/2 {
			t.Errorf("at age %d: %d requests, %d failed, want %d, %d", age, sum[age].N, sum[age].Failed, all, all/2)
		}
	}
	if matured != seconds+700 {
		t.Errorf("%d seconds matured, want %d", matured, seconds+700)
	}
}
