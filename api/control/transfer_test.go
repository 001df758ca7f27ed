package control_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/switchback-proxy/switchback/api/control"
	"github.com/switchback-proxy/switchback/rollout"
	"github.com/switchback-proxy/switchback/splitter"
	"github.com/switchback-proxy/switchback/store"
)

// exported is a State as an export has it, with a field that this release does not know.
const exported = `{"schema":1,"split":"assistant","revision":12,"id":"c0ffee","epoch":3,"salt":"pepper","stable":"blue",` +
	`"canary":"green","ranges":[{"from":0,"to":10000,"variant":"green"},{"from":10000,"to":100000,"variant":"blue"}],` +
	`"progress":{"phase":"trial","since":"2026-11-22T11:00:00Z"},"cooldown":{},` +
	`"changed":{"kind":"weights","at":"2026-11-22T11:00:00Z"},"novelty":{"depth":2}}`

// member is a member that runs the split and was last heard of that long before noon.
func member(name, boot string, unseen time.Duration) store.Member {
	return store.Member{Seen: noon.Add(-unseen), Beat: store.Beat{
		MemberID: store.MemberID{Name: name, Boot: boot}, Release: "v0.1.0", Started: noon.Add(-24 * time.Hour),
		Applied: map[string]splitter.Version{"assistant": {Revision: 12, ID: "c0ffee"}},
	}}
}

// Time in the bubble begins with the year 2000, so what is exported always says the same.
func TestExport(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		golden(t, "export", call(newFleet(), "GET", "/splits/v1/-/export", ""))
	})
}

func TestWhatIsExportedCanBeImported(t *testing.T) {
	f := newFleet()
	for name, c := range clients(t, handlerOf(f)) {
		t.Run(name, func(t *testing.T) {
			f.asked = nil
			document, err := c.Export(t.Context(), "assistant")
			if err != nil || document.Format != control.ExportFormat || len(document.States) != 1 {
				t.Fatalf("Export = %+v, %v", document, err)
			}
			by := control.Claim{Actor: "alice", Reason: "restored"}
			change, err := c.Import(t.Context(), "assistant", control.ImportRequest{State: document.States[0], Claim: by})
			if err != nil || change.Event.Kind != "imported" || change.Event.Reason != "restored" {
				t.Fatalf("Import = %+v, %v", change, err)
			}
			got, err := json.Marshal(f.asked[0].(rollout.ImportRequest).State)
			if err != nil {
				t.Fatal(err)
			}
			want, err := json.Marshal(document.States[0])
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), string(got)); diff != "" {
				t.Errorf("imported otherwise than exported (-want +got):\n%s", diff)
			}
		})
	}
}

func TestFieldsOfNewerReleasesAreImported(t *testing.T) {
	f := newFleet()
	if w := call(f, "POST", "/splits/v1/assistant/import", `{"state":`+exported+`}`); w.Code != http.StatusOK {
		t.Fatalf("status = %d, want 200: %s", w.Code, w.Body)
	}
	document, err := json.Marshal(f.asked[0].(rollout.ImportRequest).State)
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Novelty struct {
			Depth int `json:"depth"`
		} `json:"novelty"`
	}
	if err := json.Unmarshal(document, &got); err != nil || got.Novelty.Depth != 2 {
		t.Errorf("the unknown field became %+v (%v), want depth 2:\n%s", got, err, document)
	}
}

func TestForgetInstanceEscapesTheName(t *testing.T) {
	f := newFleet()
	f.members = append(f.members, member("rack 4/proxy?", "b3", time.Minute))
	for name, c := range clients(t, handlerOf(f)) {
		t.Run(name, func(t *testing.T) {
			got, err := c.ForgetInstance(t.Context(), "rack 4/proxy?")
			want := control.Forgotten{Instance: "rack 4/proxy?", Members: []store.MemberID{{Name: "rack 4/proxy?", Boot: "b3"}}}
			if diff := cmp.Diff(want, got); diff != "" || err != nil {
				t.Errorf("ForgetInstance: %v (-want +got):\n%s", err, diff)
			}
		})
	}
}

// A store that goes away right after a change makes its confirmation poorer, and nothing else.
func TestLaggardsWithoutAList(t *testing.T) {
	f := newFleet()
	f.missing = []string{"proxy-2"}
	h := control.NewHandler(control.Options{Fleet: &forgetfulFleet{f}})
	server := httptest.NewServer(h)
	defer server.Close()
	c := control.NewClient(server.URL, server.Client())
	change, err := c.ApplyPolicy(t.Context(), "assistant", control.PolicyRequest{}, control.Wait(time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"proxy-2"}, change.Confirmation.Missing); diff != "" || change.Confirmation.Laggards != nil {
		t.Errorf("confirmation = %+v, want proxy-2 missing and nothing more known of it", change.Confirmation)
	}
	if want := "how long the missing instances have been unseen is not known: store is unavailable"; change.Note != want {
		t.Errorf("note = %q, want %q", change.Note, want)
	}
}

// forgetfulFleet cannot list its members.
type forgetfulFleet struct{ *fleet }

func (*forgetfulFleet) Instances(context.Context) ([]store.Member, time.Time, error) {
	return nil, time.Time{}, fmt.Errorf("%w", rollout.ErrUnavailable)
}

func TestParseExport(t *testing.T) {
	tests := []struct{ in, want string }{
		{`{"switchback_export":1,"states":[` + exported + `],"a_later_field":true}`, ""},
		{`{"switchback_export":2,"states":[` + exported + `]}`, "an exported document of format 2: this release reads format 1"},
		{exported, `no exported document: it has no "switchback_export"`},
		{`{"switchback_export":1,"states":[]}`, "an exported document without a state"},
		{`{"switchback_export":1,"states":[null]}`, "state 1 of the exported document is null"},
		{`{"switchback_export":1,"states":[` + exported + `,` + exported + `]}`,
			`the exported document holds two states of split "assistant"`},
		{`{"switchback_export":1,"states":[` + strings.Replace(exported, "pepper", "", 1) + `]}`,
			`state of split "assistant" is invalid: salt is empty: the same keys would come first in every split`},
		{"half a", "no exported document: invalid character 'h' looking for beginning of value"},
	}
	for _, tt := range tests {
		_, err := control.ParseExport([]byte(tt.in))
		got := ""
		if err != nil {
			got = err.Error()
		}
		if got != tt.want {
			t.Errorf("ParseExport(%s): error %q, want %q", tt.in, got, tt.want)
		}
	}
}

// FuzzParseExport feeds every kind of file: none may panic, and what is read means the same when it is written and read
// again.
func FuzzParseExport(f *testing.F) {
	f.Add([]byte(`{"switchback_export":1,"states":[` + exported + `],"a_later_field":true}`))
	f.Add([]byte(`{"switchback_export":1,"states":[{"split":"a"},null]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		document, err := control.ParseExport(data)
		if err != nil {
			return
		}
		first, err := json.Marshal(document)
		if err != nil {
			t.Fatalf("%q is read and cannot be written: %v", data, err)
		}
		again, err := control.ParseExport(first)
		if err != nil {
			t.Fatalf("%q is written as %s, which is refused: %v", data, first, err)
		}
		if second, err := json.Marshal(again); err != nil || string(first) != string(second) {
			t.Errorf("%q is written as %s, then as %s (%v)", data, first, second, err)
		}
	})
}
