package main

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSimulated(t *testing.T) {
	const table = `
what              measured              bar             
canary, 1 of 10   2 of 200 hours        <= 1 % of hours  
canary, never     20.0 s                <= 18 s          MISSED
`
	got, err := simulated(table)
	if err != nil {
		t.Fatal(err)
	}
	want := []row{
		{What: "simulated: canary, 1 of 10", Measured: "2 of 200 hours", Bar: "<= 1 % of hours", OK: true},
		{What: "simulated: canary, never", Measured: "20.0 s", Bar: "<= 18 s"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("rows differ (-want +got):\n%s", diff)
	}
	for _, bad := range []string{"", "canary  20.0 s  <= 18 s", "what  measured  bar\nnothing"} {
		if rows, err := simulated(bad); err == nil {
			t.Errorf("simulated(%q) = %v, want an error", bad, rows)
		}
	}
}
