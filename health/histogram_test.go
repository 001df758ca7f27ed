package health

import (
	"encoding/json"
	"math"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestGridReachesFromFinestToLongest(t *testing.T) {
	if got := lowers[1]; got != int64(finest) {
		t.Errorf("the first cell begins at %s, want %s", time.Duration(got), finest)
	}
	if last := time.Duration(lowers[cells-1]); last > longest || float64(last)*growth < float64(longest) {
		t.Errorf("the last cell begins at %s, want one that holds %s", last, longest)
	}
	for i := range cells - 1 {
		if cellOf(time.Duration(lowers[i+1])) != i+1 || cellOf(time.Duration(lowers[i+1]-1)) != i {
			t.Errorf("cell %d does not begin at its lower end", i+1)
		}
	}
}

// times draws a time within the grid, as often short as long.
var times = rapid.Custom(func(t *rapid.T) time.Duration {
	x := rapid.Float64Range(math.Log(float64(finest)), math.Log(float64(longest))).Draw(t, "ln")
	return min(max(time.Duration(math.Exp(x)), finest), longest)
})

func TestQuantileIsWithinFivePercent(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOfN(times, 1, 200).Draw(t, "values")
		q := rapid.Float64Range(0, 1).Draw(t, "q")
		var h Histogram
		for _, v := range values {
			h.Record(v)
		}
		slices.Sort(values)
		want := values[max(int(math.Ceil(q*float64(len(values)))), 1)-1]
		got := h.Quantile(q)
		if off := math.Abs(float64(got-want)) / float64(want); off > 0.05 {
			t.Fatalf("quantile %g = %s, want %s within 5 %%, is off by %.2f %%", q, got, want, off*100)
		}
	})
}

func TestCountAboveCountsWhatIsCertain(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limit := times.Draw(t, "limit")
		var h Histogram
		var atMost, atLeast uint64
		for _, v := range rapid.SliceOf(times).Draw(t, "values") {
			h.Record(v)
			if v > limit {
				atMost++
			}
			if float64(v) > float64(limit)*growth*1.001 {
				atLeast++
			}
		}
		if got := h.CountAbove(limit); got > atMost || got < atLeast {
			t.Fatalf("above %s: %d, want from %d to %d", limit, got, atLeast, atMost)
		}
	})
}

func TestHistogramAtTheEdges(t *testing.T) {
	var h Histogram
	if got := h.Quantile(0.5); got != 0 {
		t.Errorf("the median of nothing = %s, want 0", got)
	}
	h.Record(-time.Second)
	h.Record(24 * time.Hour)
	if got, want := h.Quantile(-1), finest/2; got != want {
		t.Errorf("the least = %s, want %s", got, want)
	}
	if got := h.Quantile(2); got > longest || got < longest*9/10 {
		t.Errorf("the greatest = %s, want about %s", got, longest)
	}
}

func TestHistogramJSON(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var want, got Histogram
		for _, v := range rapid.SliceOf(times).Draw(t, "values") {
			want.Record(v)
		}
		doc, err := json.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(doc, &got); err != nil || got != want {
			t.Fatalf("%s was read as %v (%v)", doc, got, err)
		}
	})
	for _, in := range []string{`[1]`, `[5,1,5,1]`, `[7,1,5,1]`, `[167,1]`, `[1,-1]`, `[1,9007199254740993]`, `{}`, `[0.5,1]`} {
		var h Histogram
		if err := json.Unmarshal([]byte(in), &h); err == nil {
			t.Errorf("%s was accepted, want an error", in)
		}
	}
}
