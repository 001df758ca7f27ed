package splitter_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/switchback-proxy/switchback/splitter"
)

func TestParseWeight(t *testing.T) {
	tests := []struct {
		in   string
		want splitter.Weight
		text string
	}{
		{"0%", 0, "0%"},
		{"0.001%", 1, "0.001%"},
		{"0.01%", 10, "0.01%"},
		{"0.5%", 500, "0.5%"},
		{"0.500%", 500, "0.5%"},
		{"1%", 1_000, "1%"},
		{"1.25%", 1_250, "1.25%"},
		{"10%", 10_000, "10%"},
		{"99.999%", 99_999, "99.999%"},
		{"100%", splitter.Full, "100%"},
		{"100.000%", splitter.Full, "100%"},
		{"007%", 7_000, "7%"},
	}
	for _, tt := range tests {
		got, err := splitter.ParseWeight(tt.in)
		if err != nil || got != tt.want || got.String() != tt.text {
			t.Errorf("ParseWeight(%q): got %d (%v), %v; want %d (%s)", tt.in, got, got, err, tt.want, tt.text)
		}
	}
}

func TestParseWeightErrors(t *testing.T) {
	for _, in := range []string{
		"", "%", "1", "0.5", "1 %", " 1%", "1%%", "-1%", "+1%", "1e1%", "0x1%", "1_0%", ".5%", "5.%", ".%", "1.2.3%",
		"0.0001%", "0.5000%", "100.001%", "101%", "4294968%", "99999999999999999999%", "٣%", "NaN%", "1,5%",
	} {
		got, err := splitter.ParseWeight(in)
		if err == nil {
			t.Errorf("ParseWeight(%q): got %v, want an error", in, got)
			continue
		}
		if message := err.Error(); !strings.Contains(message, `"`+in+`"`) || !strings.Contains(message, "from 0% to 100%") {
			t.Errorf("ParseWeight(%q): got error %q, want the value and the rule in it", in, message)
		}
	}
}

func TestWeightJSON(t *testing.T) {
	in := map[string]splitter.Weight{"blue": 99_500, "green": 500}
	data, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	if want := `{"blue":"99.5%","green":"0.5%"}`; string(data) != want {
		t.Errorf("got %s, want %s", data, want)
	}
	var out map[string]splitter.Weight
	if err := json.Unmarshal(data, &out); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(in, out); diff != "" {
		t.Errorf("read back (-want +got):\n%s", diff)
	}
	if data, err := json.Marshal(splitter.Full + 1); err == nil {
		t.Errorf("more than 100 %%: got %s, want an error", data)
	}
	if err := json.Unmarshal([]byte(`{"blue":"1"}`), &out); err == nil {
		t.Error("weight without a sign: got no error")
	}
}

func FuzzParseWeight(f *testing.F) {
	for _, seed := range []string{"0%", "0.001%", "12.5%", "100%", "100.001%", "1", "", "%", ".5%"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, in string) {
		w, err := splitter.ParseWeight(in)
		if err != nil {
			return
		}
		if w > splitter.Full {
			t.Errorf("ParseWeight(%q): got %d, want at most %d", in, w, splitter.Full)
		}
		if again, err := splitter.ParseWeight(w.String()); err != nil || again != w {
			t.Errorf("ParseWeight(%q): got %d, read back as %d, %v", in, w, again, err)
		}
		if len(w.String()) > len(in) {
			t.Errorf("%q is written as %q, want the shortest text", in, w)
		}
	})
}
