package demo

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// visit is an answer in brief.
type visit struct {
	user    int
	variant string
	result  result
}

// keep records visits that begin now.
func keep(l *ledger, at time.Time, visits ...visit) {
	for _, v := range visits {
		why := ""
		if v.result == failed {
			why = "status 500"
		}
		l.record(answer{user: v.user, era: l.begin(), variant: v.variant, result: v.result, why: why, began: at,
			took: 100 * time.Millisecond})
	}
}

func TestLedgerSumsUpByEra(t *testing.T) {
	start := time.Now()
	l := newLedger(4, start, blue, green)
	keep(l, start, visit{0, blue, served}, visit{1, blue, served}, visit{0, blue, served}, visit{2, "", failed})
	l.next()
	keep(l, start.Add(time.Second),
		visit{0, green, served}, visit{1, blue, served},
		visit{0, green, failed}, visit{0, green, failed}, // one user is hurt once
		visit{1, green, served}, // and one moves within the era
		visit{3, "", refused})

	want := []tally{
		{
			answers: 4, served: map[string]int{blue: 3}, failed: map[string]int{"": 1},
			on: map[string]int{blue: 2}, seen: 3, hurt: 1, moves: map[move]int{},
			firstFailure: start.Add(100 * time.Millisecond), complaints: []string{"status 500"},
		},
		{
			answers: 6, served: map[string]int{blue: 1, green: 2}, failed: map[string]int{green: 2}, refused: 1,
			on: map[string]int{blue: 0, green: 2}, seen: 3, hurt: 1, moves: map[move]int{{blue, green}: 2}, within: 1,
			firstFailure: start.Add(1100 * time.Millisecond), complaints: []string{"status 500"},
		},
	}
	for era, w := range want {
		if diff := cmp.Diff(w, l.tally(era), cmp.AllowUnexported(tally{}, move{})); diff != "" {
			t.Errorf("era %d (-want +got):\n%s", era, diff)
		}
	}
}

// TestLedgerCountsLateAnswersWhereTheyBegan: a request was decided by the weights of the era that it began in.
func TestLedgerCountsLateAnswersWhereTheyBegan(t *testing.T) {
	start := time.Now()
	l := newLedger(2, start, blue, green)
	late, given := l.begin(), l.begin()
	l.next()
	if got := l.tally(0).open; got != 2 {
		t.Errorf("open requests: got %d, want 2", got)
	}
	l.record(answer{user: 0, era: late, variant: green, result: failed, why: "late", began: start})
	l.drop(given)
	first, second := l.tally(0), l.tally(1)
	if first.open != 0 || first.hurt != 1 || first.answers != 1 || second.answers != 0 {
		t.Errorf("got open %d, hurt %d, answers %d and %d, want 0, 1, 1 and 0", first.open, first.hurt, first.answers,
			second.answers)
	}
}

func TestBoardShowsTheLastSeconds(t *testing.T) {
	start := time.Now()
	l := newLedger(100, start, blue, green)
	keep(l, start, visit{0, green, failed}) // too long ago
	now := start.Add(10 * time.Second)
	for i := range 8 {
		keep(l, now.Add(-time.Second), visit{i, blue, served})
	}
	keep(l, now.Add(-time.Second), visit{8, blue, failed}, visit{9, "", refused})

	ms := time.Millisecond
	want := []row{
		{name: blue, answers: 9, share: 0.9, errors: 1.0 / 9, p50: 100 * ms, p95: 100 * ms},
		{name: green, answers: 1, idle: true},
		{name: "", answers: 1, share: 0.1},
	}
	got := l.show(now)
	if diff := cmp.Diff(want, got.rows, cmp.AllowUnexported(row{})); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
	if n := len(got.history); n != 19 {
		t.Fatalf("history: got %d cells, want 19: up to 9.1 s in halves of a second", n)
	}
	last := cell{answers: 10, refused: 1, failed: 1, by: map[string]int{blue: 9, "": 1}}
	if diff := cmp.Diff(last, got.history[18], cmp.AllowUnexported(cell{})); diff != "" {
		t.Errorf("last cell (-want +got):\n%s", diff)
	}
}

func TestBoardKeepsABoundedHistory(t *testing.T) {
	start := time.Now()
	b := newBoard(start, nil)
	for i := range 3 * maxHistory {
		b.add(answer{variant: blue, began: start.Add(time.Duration(i) * cellSpan)})
	}
	b.add(answer{variant: blue, began: start}) // long ago: into the oldest cell
	if got := len(b.history); got != maxHistory {
		t.Errorf("got %d cells, want %d", got, maxHistory)
	}
	if first, last := b.history[0].answers, b.history[maxHistory-1].answers; first != 2 || last != 1 {
		t.Errorf("answers of the first and last cell: got %d and %d, want 2 and 1", first, last)
	}
}

func TestQuantile(t *testing.T) {
	for _, tt := range []struct {
		in   []int
		q    float64
		want int
	}{
		{nil, 0.5, 0},
		{[]int{7}, 0.5, 7},
		{[]int{7}, 0.95, 7},
		{[]int{1, 2, 3, 4}, 0.5, 3},
		{[]int{1, 2, 3, 4}, 1, 4},
	} {
		if got := quantile(tt.in, tt.q); got != tt.want {
			t.Errorf("quantile(%v, %v) = %d, want %d", tt.in, tt.q, got, tt.want)
		}
	}
}
