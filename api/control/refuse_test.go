package control_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/switchback-proxy/switchback/api/control"
	"github.com/switchback-proxy/switchback/rollout"
	"github.com/switchback-proxy/switchback/store"
)

func TestRefusedRequests(t *testing.T) {
	const weights = "/splits/v1/assistant/weights"
	long := strings.Repeat("ä", 129)
	tests := []struct {
		name, method, path, body string
		headers                  []string
		status                   int
		want                     string // part of the detail
	}{
		{"unknown split", "GET", "/splits/v1/nobody", "", nil, 404, `"nobody"`},
		{"unknown path", "GET", "/splits/v1/assistant/weight", "", nil, 404, "/splits/v1/assistant/weight"},
		{"unknown fleet path", "GET", "/splits/v1/-/nothing", "", nil, 404, "/splits/v1/-/nothing"},
		{"no split is named -", "GET", "/splits/v1/-", "", nil, 404, "/splits/v1/-"},
		{"another prefix", "GET", "/config/", "", nil, 404, "/config/"},
		{"GET of a change", "GET", weights, "", nil, 405, "use PATCH"},
		{"form", "PATCH", weights, "weights=1", []string{"Content-Type: application/x-www-form-urlencoded"}, 415, "application/x-www-form-urlencoded"},
		{"no content type", "POST", "/splits/v1/assistant/kill", "", []string{"Content-Type: "}, 415, `""`},
		{"text", "POST", "/splits/v1/assistant/kill", `{}`, []string{"Content-Type: text/plain"}, 415, "text/plain"},
		{"no JSON", "PATCH", weights, `{"weights":`, nil, 400, "not valid JSON"},
		{"two values", "PATCH", weights, `{} {}`, nil, 400, "not valid JSON"},
		{"no object", "PATCH", weights, `[]`, nil, 422, "JSON object"},
		{"null", "POST", "/splits/v1/assistant/kill", `null`, nil, 422, "JSON object"},
		{"unknown field", "POST", "/splits/v1/assistant/kill", `{"varient":"green"}`, nil, 422, `"varient"`},
		{"repeated field", "PATCH", weights, `{"weights":{"green":"1%","green":"50%"}}`, nil, 422, `"green" is given twice`},
		{"wrong type", "PATCH", weights, `{"force":"yes"}`, nil, 422, `"force"`},
		{"weight without sign", "PATCH", weights, `{"weights":{"green":"10"}}`, nil, 422, `"10"`},
		{"weight as number", "PATCH", weights, `{"weights":{"green":10}}`, nil, 422, `weights`},
		{"unknown level", "POST", "/splits/v1/assistant/kill", `{"level":"hard"}`, nil, 422, `"hard"`},
		{"deadline 0", "POST", "/splits/v1/assistant/kill", `{"level":"drain","deadline":"0s"}`, nil, 422, `"deadline" must be longer than 0s`},
		{"deadline without unit", "POST", "/splits/v1/assistant/kill", `{"level":"drain","deadline":"30"}`, nil, 422, `"30"`},
		{"deadline as number", "POST", "/splits/v1/assistant/kill", `{"level":"drain","deadline":30}`, nil, 422, "deadline"},
		{"rate without unit", "POST", "/splits/v1/assistant/kill", `{"level":"cut","rate":"200"}`, nil, 422, "as in 200/s"},
		{"rate 0", "POST", "/splits/v1/assistant/kill", `{"level":"cut","rate":"0/s"}`, nil, 422, `"0/s"`},
		{"rate as number", "POST", "/splits/v1/assistant/kill", `{"level":"cut","rate":200}`, nil, 422, "rate"},
		{"nothing to set", "PATCH", weights, `{}`, nil, 422, "nothing to set"},
		{"weights and file", "PATCH", weights, `{"weights":{"green":"1%"},"from_file":true}`, nil, 422, "exclude"},
		{"ids and variant", "POST", "/splits/v1/assistant/revive", `{"ids":["a"],"variant":"green"}`, nil, 422, "exclude"},
		{"half a rename", "POST", "/splits/v1/assistant/rename", `{"from":"blue"}`, nil, 422, `"to"`},
		{"too long", "PATCH", weights, `{"reason":"` + strings.Repeat("x", 64<<10) + `"}`, nil, 413, "65536 bytes"},
		{"long actor", "POST", "/splits/v1/assistant/kill", `{"actor":"` + long + `"}`, nil, 422, "129 characters"},
		{"long actor in the header", "POST", "/splits/v1/assistant/kill", `{}`, []string{control.ActorHeader + ": " + long}, 422, "129 characters"},
		{"bytes in the header", "POST", "/splits/v1/assistant/kill", `{}`, []string{control.ActorHeader + ": \xff"}, 422, "UTF-8"},
		{"long reason", "POST", "/splits/v1/assistant/kill", `{"reason":"` + strings.Repeat("x", 1001) + `"}`, nil, 422, "1001 characters"},
		{"escape sequence", "POST", "/splits/v1/assistant/kill", `{"reason":"\u001b[2J"}`, nil, 422, `'\x1b'`},
		{"newline in actor", "POST", "/splits/v1/assistant/kill", `{"actor":"a\nb"}`, nil, 422, `'\n'`},
		{"bare If-Match", "POST", "/splits/v1/assistant/kill", `{}`, []string{"If-Match: 12-c0ffee"}, 400, "quotes included"},
		{"weak If-Match", "POST", "/splits/v1/assistant/kill", `{}`, []string{`If-Match: W/"12-c0ffee"`}, 400, "quotes included"},
		{"two tags", "POST", "/splits/v1/assistant/kill", `{}`, []string{`If-Match: "12-a", "12-b"`}, 400, "quotes included"},
		{"wait without unit", "POST", "/splits/v1/assistant/kill?wait=2", `{}`, nil, 400, `"2"`},
		{"endless wait", "POST", "/splits/v1/assistant/kill?wait=2h", `{}`, nil, 400, `"2h"`},
		{"no state", "POST", "/splits/v1/assistant/import", `{}`, nil, 422, `"state"`},
		{"another split's state", "POST", "/splits/v1/leftover/import", `{"state":` + exported + `}`, nil, 422, `path names "leftover"`},
		{"half a state", "POST", "/splits/v1/assistant/import", `{"state":{"split":"assistant"}}`, nil, 422, "schemas count from 1"},
		{"no state at all", "POST", "/splits/v1/assistant/import", `{"state":"assistant"}`, nil, 422, "state"},
		{"repeated in the state", "POST", "/splits/v1/assistant/import", `{"state":{"split":"a","split":"b"}}`, nil, 422, `"split" is given twice`},
		{"unknown field beside the state", "POST", "/splits/v1/assistant/import", `{"forced":true}`, nil, 422, `"forced"`},
		{"too long to import", "POST", "/splits/v1/assistant/import", `{"reason":"` + strings.Repeat("x", 1<<20) + `"}`, nil, 413, "1048576 bytes"},
		{"export of an unknown split", "GET", "/splits/v1/-/export?split=assistant&split=nobody", "", nil, 404, `"nobody"`},
		{"no instance is named", "DELETE", "/splits/v1/-/instances/", "", nil, 405, "use GET or HEAD"},
		{"GET of one instance", "GET", "/splits/v1/-/instances/proxy-1", "", nil, 405, "use DELETE"},
		{"a plan without end", "POST", "/splits/v1/assistant/start", `{"plan":{"steps":[{"weight":"10%","bake":"1h"}]}}`, nil, 422, "the last must be 100%"},
		{"a plan that goes back", "POST", "/splits/v1/assistant/start", `{"plan":{"steps":[{"weight":"10%"},{"weight":"5%"},{"weight":"100%"}]}}`, nil, 422, "each must be greater"},
		{"unknown field in the plan", "POST", "/splits/v1/assistant/start", `{"plan":{"bakes":"1h"}}`, nil, 422, `"plan.bakes"`},
		{"unknown field in a step", "POST", "/splits/v1/assistant/start", `{"plan":{"steps":[{"share":"1%"}]}}`, nil, 422, `"plan.steps[0].share"`},
		{"repeated in the plan", "POST", "/splits/v1/assistant/start", `{"plan":{"watch":"1h","watch":"2h"}}`, nil, 422, `"watch" is given twice`},
		{"plan as text", "POST", "/splits/v1/assistant/start", `{"plan":"1% 100%"}`, nil, 422, "plan"},
		{"weight of a variant without sign", "PATCH", weights, `{"weights":{"green":"10"}}`, nil, 422, `field "weights.green": weight "10"`},
		{"a reason that is none", "POST", "/splits/v1/assistant/retry", `{"reason":7}`, nil, 422, `field "reason": 7: must be a text`},
		{"a reason that turns round", "POST", "/splits/v1/assistant/kill", `{"reason":"ok \u202e on"}`, nil, 422, `field "reason" has the character '\u202e'`},
		{"no step", "POST", "/splits/v1/assistant/step", `{}`, nil, 422, `"step" 0`},
		{"the first step needs nobody", "POST", "/splits/v1/assistant/step", `{"step":1}`, nil, 422, "from 2"},
		{"promote below the first step", "POST", "/splits/v1/assistant/promote", `{"step":-1}`, nil, 422, "from 1"},
		{"switch to nobody", "POST", "/splits/v1/assistant/switch", `{}`, nil, 422, `"to" is needed`},
		{"retire nobody", "POST", "/splits/v1/assistant/retire", `{"undo":true}`, nil, 422, `"variant" is needed`},
		{"drill nobody", "POST", "/splits/v1/assistant/drill", `{}`, nil, 422, `"users" has 0`},
		{"drill without a key", "POST", "/splits/v1/assistant/drill", `{"users":["a",""]}`, nil, 422, "number 2 has 0 bytes"},
		{"drill with a long key", "POST", "/splits/v1/assistant/drill", `{"users":["` + strings.Repeat("x", 257) + `"]}`, nil, 422, "number 1 has 257 bytes"},
		{"drill of a crowd", "POST", "/splits/v1/assistant/drill", `{"users":["a"` + strings.Repeat(`,"a"`, 20) + `]}`, nil, 422, `"users" has 21`},
		{"drill by a form", "POST", "/splits/v1/assistant/drill", `users=a`, []string{"Content-Type: text/plain"}, 415, "text/plain"},
		{"drill by a long actor", "POST", "/splits/v1/assistant/drill", `{"users":["a"],"actor":"` + long + `"}`, nil, 422, "129 characters"},
		{"events after nothing of ours", "GET", "/splits/v1/assistant/events?after=yesterday", "", nil, 400, `after: not a cursor: "yesterday"`},
		{"follow perhaps", "GET", "/splits/v1/assistant/events?follow=perhaps", "", nil, 400, `follow "perhaps"`},
		{"too many lines", "GET", "/splits/v1/assistant/events?after=&limit=1001", "", nil, 400, `"1001"`},
		{"follow an unknown split", "GET", "/splits/v1/nobody/events?follow=1", "", nil, 404, `"nobody"`},
		{"why an unknown split", "GET", "/splits/v1/nobody/why", "", nil, 404, `"nobody"`},
		{"preflight of an unknown split", "POST", "/splits/v1/nobody/preflight", "", nil, 404, `"nobody"`},
		{"preflight by a link", "GET", "/splits/v1/assistant/preflight", "", nil, 405, "POST"},
		{"preflight by a form", "POST", "/splits/v1/assistant/preflight", "", []string{"Content-Type: text/plain"}, 415, "text/plain"},
		{"preflight with more", "POST", "/splits/v1/assistant/preflight", `{"quiet":true}`, nil, 422, `"quiet"`},
		{"drill an unknown split", "POST", "/splits/v1/nobody/drill", `{"users":["a"]}`, nil, 404, `"nobody"`},
		{"limit 0", "GET", "/splits/v1/assistant/events?limit=0", "", nil, 400, `"0"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := newFleet()
			w := call(f, tt.method, tt.path, tt.body, tt.headers...)
			var p control.Problem
			if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil {
				t.Fatalf("%v in %q", err, w.Body)
			}
			if w.Code != tt.status || p.Status != tt.status || !strings.Contains(p.Detail, tt.want) {
				t.Errorf("answer = %d %+v, want %d with %q", w.Code, p, tt.status, tt.want)
			}
			if got := w.Header().Get("Content-Type"); got != "application/problem+json" {
				t.Errorf("content type = %q, want application/problem+json", got)
			}
			if len(f.asked) > 0 {
				t.Errorf("the fleet was asked for %v, want nothing", f.asked)
			}
		})
	}
}

func TestErrorsOfTheFleet(t *testing.T) {
	tests := []struct {
		err    error
		status int
		kind   string
	}{
		{rollout.ErrUnknownSplit, 404, "unknown-split"},
		{rollout.ErrUnknownVariant, 404, "unknown-variant"},
		{rollout.ErrInvalid, 422, "invalid"},
		{rollout.ErrStale, 412, "stale"},
		{rollout.ErrCooldown, 409, "cooldown"},
		{rollout.ErrRefused, 409, "refused"},
		{rollout.ErrStep, 409, "step"},
		{rollout.ErrUnavailable, 503, "unavailable"},
		{rollout.ErrUnconfirmed, 503, "unconfirmed"},
		{fmt.Errorf("%w: %w", rollout.ErrUnavailable, rollout.ErrUnconfirmed), 503, "unconfirmed"},
		{rollout.ErrUnknownInstance, 404, "unknown-instance"},
		{store.ErrNewerSchema, 409, "newer-schema"},
		{store.ErrConflict, 409, "conflict"},
		{errors.New("the unexpected"), 500, "internal"},
	}
	for _, tt := range tests {
		t.Run(tt.kind, func(t *testing.T) {
			f := newFleet()
			f.err = fmt.Errorf("because: %w", tt.err)
			w := call(f, "POST", "/splits/v1/assistant/policy", `{}`)
			var p control.Problem
			if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil {
				t.Fatal(err)
			}
			if w.Code != tt.status || p.Kind() != tt.kind || p.Detail != f.err.Error() {
				t.Errorf("answer = %d %+v, want %d of kind %s", w.Code, p, tt.status, tt.kind)
			}
		})
	}
}
