package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var someRows = []row{
	{Name: "decide", What: "Decide, header key", Measured: "0 allocations, 31 ns", Baseline: "hash alone 19 ns",
		Bar: "0 allocations, about 30 ns", OK: true, Figures: map[string]float64{"ns": 31}},
	{Name: "cut", What: "kill cut", Measured: "140 ms", Bar: "<= 100 ms"},
}

func TestPrintTable(t *testing.T) {
	const want = `
what                measured              baseline          bar                         
Decide, header key  0 allocations, 31 ns  hash alone 19 ns  0 allocations, about 30 ns  ok
kill cut            140 ms                -                 <= 100 ms                   MISSED
`
	var got strings.Builder
	if err := printTable(&got, someRows); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.TrimPrefix(want, "\n"), got.String()); diff != "" {
		t.Errorf("the table differs (-want +got):\n%s", diff)
	}
}

func TestPrintJSON(t *testing.T) {
	var text strings.Builder
	if err := printJSON(&text, someRows); err != nil {
		t.Fatal(err)
	}
	var got []row
	if err := json.Unmarshal([]byte(text.String()), &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(someRows, got); diff != "" {
		t.Errorf("the rows differ (-want +got):\n%s", diff)
	}
	if !strings.Contains(text.String(), `"<= 100 ms"`) {
		t.Errorf("the JSON escapes what people read: %s", &text)
	}
}
