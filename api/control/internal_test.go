package control

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/switchback-proxy/switchback/rollout"
	"github.com/switchback-proxy/switchback/splitter"
)

func TestSummarize(t *testing.T) {
	tests := []struct {
		applied, missing int
		took             time.Duration
		want             string
	}{
		{12, 0, 14 * time.Millisecond, "12 of 12 instances in 14 ms"},
		{11, 1, 2 * time.Second, "11 of 12 instances in 2.0 s"},
		{0, 0, 0, "no instance runs it"},
		{1, 0, 300 * time.Microsecond, "1 of 1 instance in under 1 ms"},
	}
	for _, tt := range tests {
		c := rollout.Confirmation{Applied: make([]string, tt.applied), Missing: make([]string, tt.missing), Took: tt.took}
		if got := summarize(c); got != tt.want {
			t.Errorf("summarize(%d, %d, %v) = %q, want %q", tt.applied, tt.missing, tt.took, got, tt.want)
		}
	}
}

func TestEntityTagsSurviveTheTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := splitter.Version{Revision: rapid.Uint64().Draw(t, "revision"), ID: rapid.StringMatching(`[a-zA-Z0-9_-]+`).Draw(t, "id")}
		got, ok := parseEntityTag(entityTag(want))
		if !ok || got != want {
			t.Errorf("parseEntityTag(%s) = %v, %v, want %v", entityTag(want), got, ok, want)
		}
		if got, err := ParseVersion(FormatVersion(want)); err != nil || got != want {
			t.Errorf("ParseVersion(%s) = %v, %v, want %v", FormatVersion(want), got, err, want)
		}
	})
}

func FuzzParseEntityTag(f *testing.F) {
	for _, seed := range []string{`"12-c0ffee"`, `W/"12-c0ffee"`, `*`, `"1-a", "2-b"`, `""`, `"`, `"-1-a"`, `"007-a"`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, tag string) {
		v, ok := parseEntityTag(tag)
		if !ok {
			return
		}
		if again, ok := parseEntityTag(entityTag(v)); !ok || again != v {
			t.Errorf("%q is read as %v, whose tag %s is read as %v, %v", tag, v, entityTag(v), again, ok)
		}
	})
}

// FuzzDecode feeds every kind of body: no body may panic, what is refused is refused with a problem of the client's,
// and what is accepted means the same when it is written and read again.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{
		``, `{}`, `null`, `{"weights":{"green":"10%"},"from_file":false,"force":true,"reason":"x","actor":"y"}`,
		`{"variant":"green","level":"cut","all":true}`, `{"level":"drain","deadline":"1h30m","rate":"200/s"}`, `{"ids":["k1","k2"]}`, `{"from":"a","to":"b"}`,
		`{"a":{"a":[{"b":1,"b":2}]}}`, `{"weights":{"green":"101%"}}`, `{"level":7}`, `{"state":{"split":"a","novelty":[1]},"force":true}`, `{"state":null}`, `{"plan":{}}`,
		`{"plan":{"steps":[{"weight":"1%","bake":"1h"},{"weight":"100%"}],"gates":[{"webhook":"http://a"},{"approval":true,"before":"100%"}],` +
			`"window":{"days":[1],"from":540,"to":1020,"zone":"Europe/Berlin"},"on_fail":"pause"}}`,
		`{"step":4,"full":true}`, `{"to":"green","skip_checks":true}`, `{"variant":"red","undo":true}`, `{"users":["a","b"]}`, `[[[[`, "{\"actor\":\"\xff\"}",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		check[WeightsRequest](t, body)
		check[KillRequest](t, body)
		check[ReviveRequest](t, body)
		check[RenameRequest](t, body)
		check[AdoptRequest](t, body)
		check[PolicyRequest](t, body)
		check[ForgetRequest](t, body)
		check[ImportRequest](t, body)
		check[StartRequest](t, body)
		check[PauseRequest](t, body)
		check[ResumeRequest](t, body)
		check[StepRequest](t, body)
		check[PromoteRequest](t, body)
		check[AbortRequest](t, body)
		check[RollbackRequest](t, body)
		check[RetryRequest](t, body)
		check[SwitchRequest](t, body)
		check[SwitchBackRequest](t, body)
		check[RetireRequest](t, body)
		check[DrillRequest](t, body)
	})
}

func check[B request](t *testing.T, body []byte) {
	t.Helper()
	r := httptest.NewRequest(http.MethodPost, "/", bytes.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	var v, again B
	if err := decode(httptest.NewRecorder(), r, v.limit(), &v); err != nil {
		if p := problemOf(err); p.Status < 400 || p.Status > 499 {
			t.Errorf("%T of %q: %v (status %d), want a client's error", v, body, err, p.Status)
		}
		return
	}
	first, err := json.Marshal(v)
	if err != nil {
		t.Fatalf("%T of %q cannot be written: %v", v, body, err)
	}
	if err := unmarshal(first, &again); err != nil {
		t.Fatalf("%T of %q is written as %s, which is refused: %v", v, body, first, err)
	}
	if second, err := json.Marshal(again); err != nil || !bytes.Equal(first, second) {
		t.Errorf("%T of %q is written as %s, then as %s (%v)", v, body, first, second, err)
	}
}
