package splitter_test

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/switchback-proxy/switchback/splitter"
)

// sameFirst compares what the first release understood of two documents, and leaves out what it only carried along.
var sameFirst = cmp.Options{
	cmp.AllowUnexported(frozenState{}, frozenKill{}, frozenProgress{}),
	cmp.FilterPath(func(p cmp.Path) bool { return p.Last().String() == ".unknown" }, cmp.Ignore()),
	cmpopts.EquateEmpty(),
}

// asFrozen says what a State of this release means in the words of the first.
func asFrozen(s *splitter.State) *frozenState {
	f := &frozenState{
		Schema: s.Schema, Split: s.Split, frozenVersion: frozenVersion(s.Version), Parent: s.Parent, Epoch: s.Epoch,
		Salt: s.Salt, Stable: s.Stable, Canary: s.Canary, Declared: s.Declared, Policy: s.Policy,
		Progress: frozenProgress{Phase: s.Progress.Phase.String(), Since: s.Progress.Since, Why: s.Progress.Why},
		Cooldown: frozenCooldown(s.Cooldown), Changed: frozenChange(s.Changed),
	}
	for _, r := range s.Ranges {
		f.Ranges = append(f.Ranges, frozenRange(r))
	}
	for _, k := range s.Kills {
		f.Kills = append(f.Kills, frozenKill{
			ID: k.ID, Variant: k.Variant, Reason: k.Reason, Actor: k.Actor, Via: k.Via, At: k.At, Level: k.Level.String(),
		})
	}
	for _, r := range s.Revived {
		f.Revived = append(f.Revived, frozenRevival(r))
	}
	return f
}

// The files are documents of the first release, one of them of a State that it had from a newer one.
func TestFirstReleaseIsUnderstood(t *testing.T) {
	files, err := filepath.Glob("testdata/schema1/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("got files %v, error %v", files, err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			golden := readFile(t, file)
			first, err := frozenDecode(golden)
			if err != nil {
				t.Fatal(err)
			}
			written, err := json.MarshalIndent(first, "", "  ")
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(golden), string(written)+"\n"); diff != "" {
				t.Errorf("the file is not as the first release wrote it (-file +release):\n%s", diff)
			}
			checkUnderstood(t, first, golden)
		})
	}
}

func TestFirstReleaseIsUnderstoodWhateverItWrites(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		first := asFrozen(drawFirst(t))
		checkUnderstood(t, first, marshal(t, first))
	})
}

// checkUnderstood expects that this release reads a document as the first did, and writes all of it back.
func checkUnderstood(t rapid.TB, first *frozenState, document []byte) {
	t.Helper()
	s, err := splitter.Decode(document)
	if err != nil {
		t.Fatalf("%s: %v", document, err)
	}
	if diff := cmp.Diff(first, asFrozen(s), sameFirst); diff != "" {
		t.Errorf("meaning (-first release +this):\n%s", diff)
	}
	if diff := cmp.Diff(parse(t, document), parse(t, marshal(t, s))); diff != "" {
		t.Errorf("document (-first release +this):\n%s", diff)
	}
}

// While a fleet is brought up to a new release, proxies of the first one change States that have more than they know.
func TestFirstReleaseCarriesTheNewerFields(t *testing.T) {
	checkCarried(t, merged())
	rapid.Check(t, func(t *rapid.T) { checkCarried(t, drawState(t)) })
}

func checkCarried(t rapid.TB, before *splitter.State) {
	t.Helper()
	document := marshal(t, before)
	first, err := frozenDecode(document)
	if err != nil {
		t.Fatalf("the first release cannot read %s: %v", document, err)
	}
	if diff := cmp.Diff(asFrozen(before), first, sameFirst); diff != "" {
		t.Errorf("meaning (-this release +first):\n%s", diff)
	}

	changed := first.reweigh("weights-of-the-first", frozenRange{To: 5, Variant: "green"}, frozenRange{5, frozenBuckets, "blue"})
	changed = changed.kill("kill-of-the-first", frozenKill{ID: "k-first", Variant: "green", Level: "cut", At: time.Unix(9, 0)})
	written := marshal(t, changed)
	for _, name := range []string{"lineage", "placed", "forgotten", "moved", "trickle", "probe", "plan", "promotions", "retired",
		"drill", "drilled", "drill_failed"} {
		if got, want := members(t, written)[name], members(t, document)[name]; !bytes.Equal(got, want) {
			t.Errorf("%s: got %s, want %s", name, got, want)
		}
	}
	after, err := splitter.Decode(written)
	if err != nil {
		t.Fatalf("this release cannot read %s: %v", written, err)
	}
	want := before.Clone()
	want.Version = splitter.Version{Revision: before.Revision + 2, ID: "kill-of-the-first"}
	want.Parent = "weights-of-the-first"
	want.Ranges = []splitter.Range{{From: 0, To: 5, Variant: "green"}, {From: 5, To: splitter.Buckets, Variant: "blue"}}
	want.Kills = append(want.Kills, splitter.Kill{ID: "k-first", Variant: "green", Level: splitter.KillCut, At: time.Unix(9, 0)})
	want.Changed = splitter.Change{Kind: "kill", Via: "socket", At: time.Unix(9, 0)}
	if diff := cmp.Diff(want, after, whole); diff != "" {
		t.Errorf("after a change by the first release (-want +got):\n%s", diff)
	}
}

// A document of a newer schema has members that this release does not know wherever it keeps such, and phases and
// levels besides. It outlives a change by this release.
func TestNewerSchemaSurvivesAChange(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		document := drawNewer(t)
		s, err := splitter.Decode(marshal(t, document))
		if err != nil {
			t.Fatal(err)
		}
		if got := parse(t, marshal(t, s)); !cmp.Equal(parse(t, marshal(t, document)), got) {
			t.Errorf("unchanged (-want +got):\n%s", cmp.Diff(parse(t, marshal(t, document)), got))
		}

		next := s.Clone()
		next.Kills = append(next.Kills, splitter.Kill{ID: "k", At: time.Unix(9, 0).UTC()})
		document["kills"] = append(asList(document["kills"]),
			map[string]any{"id": "k", "level": "requests", "at": "1970-01-01T00:00:09Z"})
		if got := parse(t, marshal(t, next)); !cmp.Equal(parse(t, marshal(t, document)), got) {
			t.Errorf("killed (-want +got):\n%s", cmp.Diff(parse(t, marshal(t, document)), got))
		}
	})
}

// drawNewer draws a document of schema 2.
func drawNewer(t *rapid.T) map[string]any {
	document := parse(t, marshal(t, drawState(t)))
	document["schema"] = splitter.Schema + 1
	drawMembers(t, document)
	progress := asObject(document["progress"])
	progress["phase"] = rapid.SampledFrom([]string{"paused", "Trial", "\u2028<"}).Draw(t, "newer phase")
	drawMembers(t, progress)
	for _, name := range []string{"trickle", "probe"} {
		if o := asObject(document[name]); o != nil {
			drawMembers(t, o)
		}
	}
	for _, kill := range asList(document["kills"]) {
		asObject(kill)["level"] = rapid.SampledFrom([]string{"freeze", "Cut"}).Draw(t, "newer level")
		drawMembers(t, asObject(kill))
	}
	return document
}

// drawMembers adds members to a document, some of them with a known one's name in other letters.
func drawMembers(t *rapid.T, document map[string]any) {
	names := slices.Sorted(maps.Keys(document))
	for i := range rapid.IntRange(0, 3).Draw(t, "members") {
		name := strings.ToUpper(rapid.SampledFrom(names).Draw(t, "like"))
		if rapid.Bool().Draw(t, "is new") {
			name = "newer " + strconv.Itoa(i) + drawText(t)
		}
		document[name] = drawValue(t)
	}
}

func asObject(v any) map[string]any {
	object, _ := v.(map[string]any)
	return object
}

func asList(v any) []any {
	list, _ := v.([]any)
	return list
}

// members returns the members of a JSON object as they are written.
func members(t rapid.TB, document []byte) map[string]json.RawMessage {
	t.Helper()
	var m map[string]json.RawMessage
	if err := json.Unmarshal(document, &m); err != nil {
		t.Fatal(err)
	}
	return m
}

// parse returns a JSON object with its numbers as they are written.
func parse(t rapid.TB, document []byte) map[string]any {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(document))
	d.UseNumber()
	var object map[string]any
	if err := d.Decode(&object); err != nil {
		t.Fatalf("%s: %v", document, err)
	}
	if _, err := d.Token(); err != io.EOF {
		t.Fatalf("%s: got error %v at its end, want EOF", document, err)
	}
	return object
}
