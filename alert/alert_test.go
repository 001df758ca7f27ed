package alert_test

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/switchback-proxy/switchback/alert"
	"github.com/switchback-proxy/switchback/health"
	"github.com/switchback-proxy/switchback/rollout"
	"github.com/switchback-proxy/switchback/splitter"
	"github.com/switchback-proxy/switchback/store"
)

const percent = splitter.Full / 100

// failback is an event as the fleet's judge makes it.
func failback(t testing.TB) store.Event {
	t.Helper()
	evidence, err := json.Marshal(health.Verdict{
		Result: health.Fail, Reason: "12 of 410 failed", Evidence: 134, Threshold: 100,
		Streams: []health.StreamVerdict{{Stream: "errors", Canary: health.Rate{N: 410, K: 12}, Baseline: health.Rate{N: 9800, K: 3}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return store.Event{
		ID: "00c0ffee00c0ffee", Split: "assistant", Revision: 12, Epoch: 3,
		Change: splitter.Change{Kind: rollout.KindFailback, Actor: "switchback", Via: "judge", Reason: "12 of 410 failed",
			At: time.Date(2026, 11, 28, 2, 0, 0, 0, time.UTC)},
		From:     map[string]splitter.Weight{"blue": 75 * percent, "green": 25 * percent},
		To:       map[string]splitter.Weight{"blue": 100 * percent, "green": 0},
		Evidence: evidence,
	}
}

// eventOf is an event of a kind with nothing else.
func eventOf(kind string) store.Event { return store.Event{Change: splitter.Change{Kind: kind}} }

// Every kind of event that package rollout has must be known here, or people could not ask to be told of it.
func TestEveryKindIsKnown(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "../rollout/change.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]bool{}
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if ok && strings.HasPrefix(spec.Names[0].Name, "Kind") {
			name, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
			if err != nil {
				t.Fatal(err)
			}
			want[name] = true
		}
		return true
	})
	got := map[string]bool{}
	for _, name := range alert.Kinds() {
		got[name] = true
	}
	if diff := cmp.Diff(want, got); diff != "" || len(want) == 0 {
		t.Errorf("kinds (-rollout's +alert's):\n%s", diff)
	}
}

func TestSeverityOf(t *testing.T) {
	byVerdict := eventOf(rollout.KindPaused)
	byVerdict.Evidence = json.RawMessage(`{}`)
	passed, failed := eventOf(rollout.KindDrilled), eventOf(rollout.KindDrilled)
	passed.Evidence, failed.Evidence = json.RawMessage(`{"passed":true}`), json.RawMessage(`{"passed":false}`)
	again, same := eventOf(rollout.KindVersion), eventOf(rollout.KindVersion)
	again.From, again.To = map[string]splitter.Weight{"green": 20_000}, map[string]splitter.Weight{"green": 1000}
	same.From, same.To = again.To, again.To
	for _, tt := range []struct {
		in   store.Event
		want string
	}{
		{again, "warning"},
		{same, "info"},
		{eventOf(rollout.KindFailback), "critical"},
		{eventOf(rollout.KindPaused), "warning"},
		{byVerdict, "critical"},
		{eventOf(rollout.KindStep), "info"},
		{passed, "info"},
		{failed, "warning"},
		{eventOf(rollout.KindDrilled), "info"},
		{eventOf("of a later release"), "warning"},
	} {
		if got := alert.SeverityOf(tt.in).String(); got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.in.Kind, got, tt.want)
		}
	}
}

func TestTitles(t *testing.T) {
	passed, failed, abandoned := eventOf(rollout.KindDrilled), eventOf(rollout.KindDrilled), eventOf(rollout.KindDrill)
	passed.Evidence, failed.Evidence = json.RawMessage(`{"passed":true}`), json.RawMessage(`{"passed":false}`)
	abandoned.Evidence = failed.Evidence
	for want, ev := range map[string]store.Event{
		"a failback was rehearsed":         passed,
		"a rehearsal of a failback failed": failed,
		"a rehearsal of a failback":        eventOf(rollout.KindDrill),
	} {
		if got := alert.WhatHappened(ev); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	if got := alert.WhatHappened(abandoned); got != alert.WhatHappened(failed) || alert.SeverityOf(abandoned) != alert.Warning {
		t.Errorf("left unfinished: got %q, %s, want what is told of one that failed", got, alert.SeverityOf(abandoned))
	}
}

func TestWordsOfPeopleArePlain(t *testing.T) {
	in := "ship\x1b[2J \u202eedolpxe\u202c, \u0646\u0645\u06cc\u200c\u062e"
	if got, want := alert.Plain(in), "ship [2J  edolpxe , \u0646\u0645\u06cc\u200c\u062e"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestWants(t *testing.T) {
	for _, tt := range []struct {
		events   []string
		severity alert.Severity
		want     string
	}{
		{nil, alert.Info, "failback revive step"},
		{nil, alert.Warning, "failback revive"},
		{nil, alert.Critical, "failback"},
		{[]string{"step", "revive"}, alert.Info, "revive step"},
		{[]string{"step", "revive"}, alert.Warning, "revive"},
	} {
		target := newTarget(t, alert.Config{Name: "chat", URL: "https://example.com/", Events: tt.events, Severity: tt.severity})
		var got []string
		for _, kind := range []string{rollout.KindFailback, rollout.KindRevive, rollout.KindStep} {
			if target.Wants(eventOf(kind)) {
				got = append(got, kind)
			}
		}
		if s := strings.Join(got, " "); s != tt.want {
			t.Errorf("events %q from %s: got %q, want %q", tt.events, tt.severity, s, tt.want)
		}
	}
}

func newTarget(t testing.TB, cfg alert.Config) rollout.Target {
	t.Helper()
	target, err := alert.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return target
}

// What is sent without a template says what happened, why, by the numbers, and what to do.
func TestDefaultText(t *testing.T) {
	kill := eventOf(rollout.KindKill)
	kill.Split, kill.Actor, kill.Reason = "assistant", "alice", "leaks\nprompts"
	kill.Kills = []splitter.Kill{{Variant: "green", Level: splitter.KillCut}}
	paused := failback(t)
	paused.Kind, paused.To, paused.Evidence = rollout.KindPaused, paused.From, json.RawMessage(`{"result":"fail","evidence":134,`+
		`"threshold":100,"exposed":{"canary":"green","share":"25%","stable":"blue"}}`)
	held := paused
	held.Kind = rollout.KindFailbackHeld
	const waysOut = `Why: 12 of 410 failed
Numbers: evidence 134, failed back at 100
By: switchback (judge)
When: 2026-11-28T02:00:00Z
What to do: ` + "`switchback split abort assistant` takes everybody back to blue; `switchback split resume assistant` once green is " +
		"repaired; `switchback split why assistant` says more" + `
Contact: #team-assistant
Look at: https://dash.example.com/`
	byHand := eventOf(rollout.KindPaused)
	byHand.Split, byHand.Actor = "assistant", "alice"
	revive := kill
	revive.Kind, revive.Reason = rollout.KindRevive, "mended"
	for name, tt := range map[string]struct {
		in          store.Event
		title, text string
	}{
		"paused, as it fails": {paused, "assistant: the rollout is paused, green fails and still has 25% of the users", waysOut},
		"fails while paused":  {held, "assistant: the rollout is paused, green fails and still has 25% of the users", waysOut},
		"paused by hand": {byHand, "assistant: the rollout is paused", `By: alice
What to do: switchback split why assistant
Contact: #team-assistant
Look at: https://dash.example.com/`},
		"failback": {failback(t), "assistant: the canary failed, everybody is back on the trusted version",
			`Why: 12 of 410 failed
Weights: blue 75% → 100%, green 25% → 0%
Numbers: errors: canary 2.93% of 410, stable 0.0306% of 9800; evidence 134, failed back at 100
By: switchback (judge)
When: 2026-11-28T02:00:00Z
What to do: switchback split why assistant
Contact: #team-assistant
Look at: https://dash.example.com/`},
		"kill": {kill, "assistant: a kill switch is on", `Why: leaks prompts
Off: green (level cut)
By: alice
What to do: switchback split status assistant
Contact: #team-assistant
Look at: https://dash.example.com/`},
		"revive": {revive, "assistant: a kill switch is off", `Why: mended
Lifted: green (level cut)
By: alice
What to do: switchback split why assistant
Contact: #team-assistant
Look at: https://dash.example.com/`},
		"store": {eventOf(rollout.KindStoreLost), "Switchback: the store is away, requests go on by the last state known",
			`What to do: repair the way to the store; until then changes are refused, and a kill holds where it is made
Look at: https://dash.example.com/`},
	} {
		t.Run(name, func(t *testing.T) {
			hook := newSink(t)
			target := newTarget(t, alert.Config{Name: "hook", URL: hook.URL, Link: "https://dash.example.com/",
				Contact: func(split string) string { return "#team-" + split }})
			if err := target.Send(t.Context(), tt.in); err != nil {
				t.Fatal(err)
			}
			got := hook.payload(t)
			if diff := cmp.Diff([]string{tt.title, tt.text}, []string{got.Title, got.Text}); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestTemplate(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"{{.Title}}", "assistant: the canary failed, everybody is back on the trusted version"},
		{"{{.Kind}} of {{.Split}} r{{.Revision}}: {{.From}} to {{.To}}", "failback of assistant r12: blue 75%, green 25% to blue 100%, green 0%"},
		{"{{if eq .Severity \"critical\"}}!{{end}}{{.Reason}}", "!12 of 410 failed"},
		{"{{range 100000}}x{{end}}", strings.Repeat("x", 1699) + "…"},
	} {
		parsed, err := alert.ParseTemplate(tt.in)
		if err != nil {
			t.Errorf("%s: %v", tt.in, err)
			continue
		}
		hook := newSink(t)
		if err := newTarget(t, alert.Config{Name: "hook", URL: hook.URL, Template: parsed}).Send(t.Context(), failback(t)); err != nil {
			t.Fatal(err)
		}
		if got := hook.payload(t).Text; got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.in, got, tt.want)
		}
	}
}

func TestTemplateIsRefused(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"{{.Titel}}", "can't evaluate field Titel"},
		{"{{if}}", "missing value for if"},
		{"{{slice .ID 0 4}}", "it fails for"}, // an event without id
		{strings.Repeat("x", 20_000), "20000 bytes: it must be at most 16384"},
	} {
		if _, err := alert.ParseTemplate(tt.in); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%.30s: got %v, want %q", tt.in, err, tt.want)
		}
	}
}

// Whatever a template is, it is refused or its text is bounded, valid and sent.
func FuzzTemplate(f *testing.F) {
	for _, seed := range []string{"{{.Title}}", "{{range .Split}}{{end}}", "{{define \"a\"}}{{end}}", "\xff{{.Text}}", "{{printf \"%500d\" 1}}"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if strings.Contains(text, "range") || strings.Contains(text, "template") {
			t.Skip("may take as long as it says")
		}
		parsed, err := alert.ParseTemplate(text)
		if err != nil {
			return
		}
		got, err := alert.Render(parsed, failback(t))
		if err != nil || !utf8.ValidString(got) || utf8.RuneCountInString(got) > alert.MaxText {
			t.Errorf("%q: got %q, %v", text, got, err)
		}
	})
}
