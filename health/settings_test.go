package health_test

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/switchback-proxy/switchback/health"
)

func TestValidateSettings(t *testing.T) {
	const minute, hour = health.Duration(time.Minute), health.Duration(time.Hour)
	for _, tt := range []struct {
		name string
		in   func(s *health.Settings)
		want string // empty: valid
	}{
		{"defaults", func(*health.Settings) {}, ""},
		{"greatest alpha", func(s *health.Settings) { s.Alpha = 0.2 }, ""},
		{"no alpha", func(s *health.Settings) { s.Alpha = 0 }, "alpha 0: must be from 0.000001 to 0.2"},
		{"an alpha beyond all evidence", func(s *health.Settings) { s.Alpha = 1e-310 }, "must be from 0.000001 to 0.2"},
		{"too great an alpha", func(s *health.Settings) { s.Alpha = 0.21 }, "alpha 0.21: must be from 0.000001 to 0.2"},
		{"alpha that is no number", func(s *health.Settings) { s.Alpha = math.NaN() }, "alpha NaN"},
		{"no ratio", func(s *health.Settings) { s.Ratio = 1 }, ""},
		{"ratio below 1", func(s *health.Settings) { s.Ratio = 0.9 }, "ratio 0.9: must be from 1 to 10"},
		{"ratio above 10", func(s *health.Settings) { s.Ratio = 11 }, "ratio 11: must be from 1 to 10"},
		{"ratio that is no number", func(s *health.Settings) { s.Ratio = math.NaN() }, "ratio NaN"},
		{"no margins", func(s *health.Settings) { s.Margin, s.LatencyMargin = 0, 0 }, ""},
		{"margin", func(s *health.Settings) { s.Margin = 0.6 }, "margin 60pp: must be from 0pp to 50pp"},
		{"latency margin", func(s *health.Settings) { s.LatencyMargin = -0.01 }, "latency_margin -1pp: must be from 0pp to 50pp"},
		{"short", func(s *health.Settings) { s.Duration = 59 * minute }, "duration 59m: must be from 1h to 2160h"},
		{"longest", func(s *health.Settings) { s.Duration = 2160 * hour }, ""},
		{"long", func(s *health.Settings) { s.Duration = 2161 * hour }, "duration 2161h: must be from 1h to 2160h"},
		{"no trickle", func(s *health.Settings) { s.Trickle = health.Trickle{Off: true} }, ""},
		{"trickle of nothing", func(s *health.Settings) { s.Trickle = health.Trickle{} }, "trickle 0%, then 0%: both must be above 0%"},
		{"trickle of most", func(s *health.Settings) { s.Trickle.First = 0.51 }, "trickle 51%, then 1%: both must be above 0% and at most 50%"},
		{"trickle that grows", func(s *health.Settings) { s.Trickle.Then = 0.06 }, "trickle 5%, then 6%: the second must not be greater"},
		{"short watch", func(s *health.Settings) { s.Trickle.Watch = minute - 1 }, "trickle for 59.999999999s: must be from 1m to 168h"},
		{"long watch", func(s *health.Settings) { s.Trickle.Watch = 169 * hour }, "trickle for 169h: must be from 1m to 168h"},
	} {
		s := health.DefaultSettings()
		tt.in(&s)
		err := s.Validate()
		if tt.want == "" && err != nil {
			t.Errorf("%s: got %q, want no error", tt.name, err)
		}
		if tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s: got %v, want %q", tt.name, err, tt.want)
		}
	}
}

// What a State freezes is read back to the last bit, or a proxy would see a difference to its file where there is none.
func TestSettingsSurviveJSON(t *testing.T) {
	off := health.DefaultSettings()
	off.Trickle, off.FewUsers = health.Trickle{Off: true}, health.FewUsersFailback
	for _, want := range []health.Settings{health.DefaultSettings(), off} {
		doc, err := json.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		var got health.Settings
		if err := json.Unmarshal(doc, &got); err != nil {
			t.Errorf("%s: %v", doc, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", doc, diff)
		}
	}
}
