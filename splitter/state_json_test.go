package splitter_test

import (
	"bytes"
	"encoding/json"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/switchback-proxy/switchback/splitter"
)

// whole compares all of two States, the fields kept from a newer release included.
var whole = cmp.Options{
	cmp.AllowUnexported(splitter.State{}, splitter.Kill{}, splitter.Progress{}, splitter.Trickle{}, splitter.Probe{}),
	cmpopts.EquateEmpty(),
}

// failedBack is a State with every field set that the first release had.
func failedBack() *splitter.State {
	noon := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	s := trial(
		splitter.Kill{ID: "k1", Variant: "green", Level: splitter.KillCut, Reason: "leaks <prompts>", Actor: "alice", Via: "socket", At: noon},
		splitter.Kill{ID: "k2", At: noon.Add(time.Second)},
	)
	s.Version = splitter.Version{Revision: 17, ID: "c17"}
	s.Parent = "c16"
	s.Epoch = 3
	s.Declared = map[string]string{"green": "sha256:2", "blue": "sha256:1"}
	s.Revived = []splitter.Revival{{ID: "k0", At: noon.Add(-time.Hour)}}
	s.Policy = json.RawMessage(`{"cooldown":"15m"}`)
	s.Progress = splitter.Progress{Phase: splitter.PhaseFailedBack, Since: noon, Why: "error rate 50% > 5%"}
	s.Cooldown = splitter.Cooldown{Until: noon.Add(15 * time.Minute), Failbacks: 1}
	s.Changed = splitter.Change{Kind: "failback", Actor: "switchback", Via: "judge", At: noon, Reason: "error rate"}
	return s
}

// merged is a State with every field set: two histories were brought together, and later the split was given up.
func merged() *splitter.State {
	s := failedBack()
	s.Kills = append(s.Kills, drained("k3", "green", time.Date(2026, 5, 1, 12, 0, 2, 0, time.UTC)))
	s.Lineage = []splitter.Version{{Revision: 16, ID: "c16"}, {Revision: 16, ID: "d16"}, {Revision: 12, ID: "c12"}}
	s.Placed = []splitter.Version{{Revision: 16, ID: "d16"}, {Revision: 12, ID: "c12"}}
	s.Began = time.Date(2026, 4, 1, 12, 0, 0, 0, time.UTC)
	s.Moved = []splitter.Move{
		{Range: splitter.Range{From: 0, To: 1_000, Variant: "green"}, At: s.Changed.At, Failed: true},
		{Range: splitter.Range{From: 5, To: 7, Variant: "blue"}, At: s.Began, Salt: "1234567890abcdef"},
	}
	s.Superseded = map[string][]string{"green": {"sha256:0", "sha256:1"}}
	s.Trickle = &splitter.Trickle{Epoch: 3, Keeps: 5_000, Until: s.Changed.At, Then: 1_000}
	s.Probe = &splitter.Probe{Epoch: 3, Since: s.Began, Until: s.Changed.At, Why: "30 of 40 failed", Holds: 11_000,
		Lent: []splitter.Span{{From: 0, To: 1_000}, {From: 80_000, To: 90_000}}}
	s.Progress.Suspected = "blue fails as often: 48% of 300"
	s.Plan = json.RawMessage(`{"steps":[{"weight":"1%","bake":"1h"},{"weight":"100%"}]}`)
	s.Progress.Step, s.Progress.Approved, s.Progress.Reached = 2, 3, s.Changed.At
	s.Progress.Paused = &splitter.Pause{Actor: "bob", Reason: "lunch", At: s.Changed.At, Failed: true}
	s.Progress.JudgedSince = s.Began
	s.Progress.Ended = splitter.EndAborted
	s.Promotions = []splitter.Promotion{{Variant: "blue", Version: "sha256:1", Before: "grey", BeforeVersion: "sha256:0", At: s.Began}}
	s.Left = splitter.Left{Variant: "green", Kind: "aborted", Actor: "bob", At: s.Began}
	s.Retired = []string{"grey", "red"}
	s.Drill = &splitter.Drill{ID: "d1", Variant: "green", Users: []string{"1f", "2e"}, Until: s.Changed.At}
	s.Drilled = splitter.Drilled{At: s.Began, By: "alice"}
	s.DrillFailed = splitter.FailedDrill{At: s.Changed.At, By: "bob", Step: "canary answers", Why: "test user 1: status 500"}
	s.Forgotten = time.Date(2026, 5, 2, 12, 0, 0, 0, time.UTC)
	return s
}

// drained is a kill that waits for half a minute, and then ends 200 requests a second.
func drained(id, variant string, at time.Time) splitter.Kill {
	return splitter.Kill{ID: id, Variant: variant, Level: splitter.KillDrain, At: at, Deadline: at.Add(30 * time.Second), Rate: 200}
}

// A field that is forgotten here is a field that no test sees written.
func TestMergedHasEveryField(t *testing.T) {
	for _, document := range []any{*merged(), merged().Progress} {
		v := reflect.ValueOf(document)
		for _, f := range reflect.VisibleFields(v.Type()) {
			if f.IsExported() && v.FieldByIndex(f.Index).IsZero() {
				t.Errorf("field %s of %s is not set", f.Name, v.Type())
			}
		}
	}
}

// The golden files are the format that every release after this one must read and write.
func TestStateFormat(t *testing.T) {
	tests := []struct {
		file  string
		state *splitter.State
	}{
		{"testdata/state-v1.json", failedBack()},
		{"testdata/state-v1-merged.json", merged()},
	}
	for _, tt := range tests {
		golden := readFile(t, tt.file)
		got, err := json.MarshalIndent(tt.state, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(golden), string(got)+"\n"); diff != "" {
			t.Errorf("%s: document (-want +got):\n%s", tt.file, diff)
		}
		s, err := splitter.Decode(golden)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(tt.state, s, whole); diff != "" {
			t.Errorf("%s: read back (-want +got):\n%s", tt.file, diff)
		}
	}
}

// A document of a newer release, with fields, a phase and a level that this one does not know, comes out as it went in.
func TestNewerStateSurvives(t *testing.T) {
	golden := readFile(t, "testdata/state-newer.json")
	s, err := splitter.Decode(golden)
	if err != nil {
		t.Fatal(err)
	}
	if s.Progress.Phase != splitter.PhaseUnknown || s.Kills[0].Level != splitter.KillRequests {
		t.Errorf("got phase %v, level %v; want unknown, requests", s.Progress.Phase, s.Kills[0].Level)
	}
	got, err := json.MarshalIndent(s.Clone(), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(golden), string(got)+"\n"); diff != "" {
		t.Errorf("written back (-want +got):\n%s", diff)
	}
}

// What this release sets outranks what it kept.
func TestChangedEnumsAreWritten(t *testing.T) {
	s, err := splitter.Decode(readFile(t, "testdata/state-newer.json"))
	if err != nil {
		t.Fatal(err)
	}
	s.Progress.Phase, s.Kills[0].Level = splitter.PhaseTrial, splitter.KillCut
	data, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"phase":"trial"`, `"level":"cut"`, `"since_step"`, `"grace"`} {
		if !bytes.Contains(data, []byte(want)) {
			t.Errorf("got %s, want %s in it", data, want)
		}
	}
}

func TestCloneIsDeep(t *testing.T) {
	for _, file := range []string{"testdata/state-v1-merged.json", "testdata/state-newer.json"} {
		original, err := splitter.Decode(readFile(t, file))
		if err != nil {
			t.Fatal(err)
		}
		want := marshal(t, original)
		clone := original.Clone()
		if diff := cmp.Diff(original, clone, whole); diff != "" {
			t.Errorf("%s: clone (-want +got):\n%s", file, diff)
		}
		clone.Ranges[0].Variant = "spoiled"
		clone.Declared["green"] = "spoiled"
		clone.Kills[0].ID = "spoiled"
		clone.Revived[0].ID = "spoiled"
		clone.Lineage[0].ID = "spoiled"
		clone.Policy[0] = '['
		if clone.Trickle != nil {
			clone.Trickle.Keeps, clone.Probe.Lent[0].From = 7, 7
			clone.Superseded["green"][0] = "spoiled"
			clone.Plan[0], clone.Promotions[0].Before, clone.Retired[0] = '[', "spoiled", "spoiled"
			clone.Progress.Paused.Actor, clone.Drill.Users[0], clone.Drill.ID = "spoiled", "spoiled", "spoiled"
		}
		if got := marshal(t, original); !bytes.Equal(got, want) {
			t.Errorf("%s: spoiling the clone changed the original:\ngot  %s\nwant %s", file, got, want)
		}
	}
}

func TestDecodeErrors(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"nothing", ``, "state cannot be read"},
		{"not JSON", `{`, "state cannot be read"},
		{"no object", `[]`, "state cannot be read"},
		{"null", `null`, "is invalid"},
		{"empty", `{}`, "is invalid"},
		{"wrong type", `{"revision":-1}`, "state cannot be read"},
		{"level that is no text", `{"kills":[{"level":1}]}`, "state cannot be read"},
		{"rate without unit", `{"kills":[{"rate":"200"}]}`, `rate "200": must be a whole number of requests a second`},
		{"names in capitals", strings.ReplaceAll(string(readFile(t, "testdata/state-v1.json")), `"salt"`, `"Salt"`), "salt is empty"},
	}
	for _, tt := range tests {
		if s, err := splitter.Decode([]byte(tt.in)); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, error %v, want one with %q", tt.name, s, err, tt.want)
		}
	}
}

func TestEnumTexts(t *testing.T) {
	type all struct {
		Levels  []splitter.KillLevel
		Phases  []splitter.Phase
		Reasons []splitter.Reason
	}
	in := all{
		[]splitter.KillLevel{splitter.KillRequests, splitter.KillDrain, splitter.KillCut},
		[]splitter.Phase{splitter.PhaseIdle, splitter.PhaseTrial, splitter.PhaseFailedBack, splitter.PhaseUnknown},
		[]splitter.Reason{
			splitter.ReasonError, splitter.ReasonSplit, splitter.ReasonTargetingMatch,
			splitter.ReasonDisabled, splitter.ReasonDefault, splitter.ReasonStatic,
		},
	}
	want := `{"Levels":["requests","drain","cut"],"Phases":["idle","trial","failed_back","unknown"],` +
		`"Reasons":["ERROR","SPLIT","TARGETING_MATCH","DISABLED","DEFAULT","STATIC"]}`
	data := marshal(t, in)
	if string(data) != want {
		t.Errorf("got %s, want %s", data, want)
	}
	var out all
	if err := json.Unmarshal(data, &out); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(in, out); diff != "" {
		t.Errorf("read back (-want +got):\n%s", diff)
	}
}

func TestEnumErrors(t *testing.T) {
	var (
		level  splitter.KillLevel
		phase  splitter.Phase
		reason splitter.Reason
	)
	tests := []struct {
		got  error
		want string
	}{
		{level.UnmarshalText([]byte("hard")), `kill level "hard": must be one of requests, drain, cut`},
		{phase.UnmarshalText([]byte("")), `phase "": must be one of idle, trial, failed_back, unknown`},
		{reason.UnmarshalText([]byte("split")), `reason "split": must be one of`},
	}
	for _, value := range []json.Marshaler{
		splitter.Kill{Level: 9}, splitter.Progress{Phase: 9},
	} {
		if data, err := value.MarshalJSON(); err == nil {
			t.Errorf("%+v: got %s, want an error", value, data)
		}
	}
	for _, tt := range tests {
		if tt.got == nil || !strings.Contains(tt.got.Error(), tt.want) {
			t.Errorf("got error %v, want one with %q", tt.got, tt.want)
		}
	}
}

// Whatever is read is written so that it reads the same, and nothing that this release does not know is lost.
func FuzzDecode(f *testing.F) {
	for _, file := range []string{
		"state-v1.json", "state-v1-merged.json", "state-newer.json", "schema1/carried.json", "schema1/killed.json",
	} {
		f.Add(readFile(f, "testdata/"+file))
	}
	f.Add(marshal(f, trial()))
	for _, seed := range []string{`null`, `{"lineage":[null],"placed":null,"forgotten":null}`, `{"placed":[{"revision":0}]}`, `{}`, `{"kills":[null],"progress":null}`, `{"Schema":1,"schema":2}`, `{"a":"<\u2028"}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := splitter.Decode(data)
		if err != nil {
			return
		}
		written := marshal(t, s)
		again, err := splitter.Decode(written)
		if err != nil {
			t.Fatalf("written as %s, which cannot be read: %v", written, err)
		}
		if diff := cmp.Diff(s, again, whole); diff != "" {
			t.Errorf("read again (-first +second):\n%s", diff)
		}
		if rewritten := marshal(t, again); !bytes.Equal(rewritten, written) {
			t.Errorf("written again: got %s, want %s", rewritten, written)
		}
		checkNewerField(t, data)
	})
}

// checkNewerField adds a field to a document that can be read, and expects it to be written back.
func checkNewerField(t *testing.T, document []byte) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(document, &members); err != nil {
		t.Fatal(err)
	}
	members["a newer release's"] = document
	s, err := splitter.Decode(marshal(t, members))
	if err != nil {
		t.Fatalf("with a field more it cannot be read: %v", err)
	}
	var out map[string]json.RawMessage
	if err := json.Unmarshal(marshal(t, s), &out); err != nil {
		t.Fatal(err)
	}
	if got, want := out["a newer release's"], marshal(t, json.RawMessage(document)); !bytes.Equal(got, want) {
		t.Errorf("field of a newer release: got %s, want %s", got, want)
	}
}

func marshal(t rapid.TB, v any) []byte {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func readFile(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
