package splitter_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/switchback-proxy/switchback/splitter"
)

func TestLayout(t *testing.T) {
	tests := []struct {
		name   string
		in     []splitter.Share
		canary string
		want   []splitter.Range
	}{
		{"canary first", []splitter.Share{{"blue", 99_000}, {"green", 1_000}}, "green",
			[]splitter.Range{{0, 1_000, "green"}, {1_000, splitter.Buckets, "blue"}}},
		{"canary at 0 %", []splitter.Share{{"blue", splitter.Full}, {"green", 0}}, "green",
			[]splitter.Range{{0, splitter.Buckets, "blue"}}},
		{"canary at 100 %", []splitter.Share{{"blue", 0}, {"green", splitter.Full}}, "green",
			[]splitter.Range{{0, splitter.Buckets, "green"}}},
		{"others in the order given", []splitter.Share{{"blue", 50_000}, {"grey", 20_000}, {"green", 20_000}, {"red", 10_000}}, "green",
			[]splitter.Range{{0, 20_000, "green"}, {20_000, 70_000, "blue"}, {70_000, 90_000, "grey"}, {90_000, splitter.Buckets, "red"}}},
		{"no canary", []splitter.Share{{"blue", 40_000}, {"grey", 60_000}}, "",
			[]splitter.Range{{0, 40_000, "blue"}, {40_000, splitter.Buckets, "grey"}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			before := append([]splitter.Share(nil), tt.in...)
			got, err := splitter.Layout(tt.in, tt.canary)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("ranges (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(before, tt.in); diff != "" {
				t.Errorf("the input was modified (-before +after):\n%s", diff)
			}
		})
	}
}

// Layout and Reassign refuse the same shares.
func TestSharesErrors(t *testing.T) {
	tests := []struct {
		name string
		in   []splitter.Share
		want string
	}{
		{"none", nil, "weights add up to 0%"},
		{"101 %", []splitter.Share{{"blue", 99_000}, {"green", 2_000}}, "weights add up to 101%"},
		{"99.999 %", []splitter.Share{{"blue", 99_999}}, "weights add up to 99.999%"},
		{"a sum that overflows", []splitter.Share{{"blue", 1 << 31}, {"green", 1<<31 + splitter.Full}}, "must add up to exactly 100%"},
		{"one twice", []splitter.Share{{"blue", 50_000}, {"blue", 50_000}}, `variant "blue" has two weights`},
		{"no name", []splitter.Share{{"", splitter.Full}}, `variant ""`},
		{"bad name", []splitter.Share{{"Blue", splitter.Full}}, `variant "Blue"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, layoutErr := splitter.Layout(tt.in, "green")
			_, reassignErr := splitter.Reassign(trial().Ranges, "green", tt.in)
			for _, err := range []error{layoutErr, reassignErr} {
				if err == nil || !strings.Contains(err.Error(), tt.want) {
					t.Errorf("got error %v, want one with %q", err, tt.want)
				}
			}
		})
	}
}

func TestWeights(t *testing.T) {
	want := map[string]splitter.Weight{"green": 1_000, "blue": 79_000, "grey": 10_000, "red": 10_000}
	if diff := cmp.Diff(want, trial().Weights()); diff != "" {
		t.Errorf("weights (-want +got):\n%s", diff)
	}
}

func TestRenameVariant(t *testing.T) {
	before := []splitter.Range{{0, 10, "a"}, {10, 20, "b"}, {20, 30, "a"}, {30, splitter.Buckets, "c"}}
	tests := []struct {
		from, to string
		want     []splitter.Range
	}{
		{"a", "new", []splitter.Range{{0, 10, "new"}, {10, 20, "b"}, {20, 30, "new"}, {30, splitter.Buckets, "c"}}},
		{"absent", "new", before},
		{"b", "a", []splitter.Range{{0, 30, "a"}, {30, splitter.Buckets, "c"}}},
	}
	for _, tt := range tests {
		if diff := cmp.Diff(tt.want, splitter.RenameVariant(before, tt.from, tt.to)); diff != "" {
			t.Errorf("%s to %s (-want +got):\n%s", tt.from, tt.to, diff)
		}
	}
	if before[0].Variant != "a" || before[1].To != 20 {
		t.Errorf("the input was modified: %v", before)
	}
}
