package splitcmd

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/switchback-proxy/switchback/api/control"
	"github.com/switchback-proxy/switchback/splitter"
)

// eventLog is an API with a log of n events, as of the k-th call.
func eventLog(n func(call int) int) *control.Client {
	calls := 0
	return control.NewClient("http://proxy", doer(func(r *http.Request) (*http.Response, error) {
		calls++
		query, kept := r.URL.Query(), n(calls)
		if kept < 0 {
			return nil, errors.New("connection refused")
		}
		w := httptest.NewRecorder()
		if !query.Has("after") {
			fmt.Fprintf(w, `{"split":"assistant","events":[%s,%s]}`, eventLine(2), eventLine(1))
			return w.Result(), nil
		}
		limit, err := strconv.Atoi(query.Get("limit"))
		if err != nil {
			return nil, err
		}
		after := 0
		if cursor := query.Get("after"); cursor != "" {
			if after, err = strconv.Atoi(cursor); err != nil {
				return nil, err
			}
		}
		for i := after + 1; i <= min(kept, after+limit); i++ {
			fmt.Fprintln(w, eventLine(i))
		}
		return w.Result(), nil
	}))
}

func eventLine(i int) string {
	e := control.Event{ID: "e" + strconv.Itoa(i), Split: "assistant", Cursor: strconv.Itoa(i), Change: splitter.Change{
		Kind: "step", Actor: "switchback", At: time.Date(2026, 11, 22, 12, i, 0, 0, time.UTC), Reason: "step\n" + strconv.Itoa(i)}}
	line, err := json.Marshal(e)
	if err != nil {
		panic(err)
	}
	return string(line)
}

// A follower misses nothing and sees nothing twice, though the proxy ends its answers and is away for a while.
func TestFollowGoesOnAfterAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		var out bytes.Buffer
		s := &session{out: &out, look: look{zone: time.UTC}, client: eventLog(func(call int) int {
			return []int{2, 3, -1, -1, 5}[min(call, 5)-1]
		})}
		if err := s.followEvents(ctx, "assistant", 20); err != nil {
			t.Fatal(err)
		}
		var want strings.Builder
		for i := 1; i <= 5; i++ {
			fmt.Fprintf(&want, "2026-11-22 12:0%d:00 UTC  step           switchback  step %d\n", i, i)
		}
		if out.String() != want.String() {
			t.Errorf("followed\n%s\nwant\n%s", out.String(), want.String())
		}
	})
}

func TestFollowAsJSON(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		var out bytes.Buffer
		s := &session{out: &out, json: true, client: eventLog(func(int) int { return 4 })}
		err := s.followEvents(ctx, "assistant", 20)
		s.printDocument(err)
		want := eventLine(1) + "\n" + eventLine(2) + "\n" + eventLine(3) + "\n" + eventLine(4) + "\n"
		if err != nil || out.String() != want {
			t.Errorf("followed (%v)\n%s\nwant\n%s", err, out.String(), want)
		}
	})
}

func TestFollowEndsIfThereIsNothingToFollow(t *testing.T) {
	api := &replay{t: t, answers: map[string]string{"GET /splits/v1/nobody/events": "unknown_split"}}
	server := httptest.NewServer(api)
	defer server.Close()
	s := &session{client: control.NewClient(server.URL, server.Client()), out: io.Discard}
	if err := s.followEvents(t.Context(), "nobody", 20); exitCode(err) != exitError {
		t.Errorf("it ended with %v, want an error", err)
	}
}

// The whole log comes out, page by page, as it is.
func TestExportEvents(t *testing.T) {
	for _, n := range []int{0, 1, exportPage, 2*exportPage + 7} {
		var out bytes.Buffer
		s := &session{out: &out, client: eventLog(func(int) int { return n })}
		if err := s.exportEvents(t.Context(), "assistant"); err != nil {
			t.Fatal(err)
		}
		var want strings.Builder
		for i := 1; i <= n; i++ {
			fmt.Fprintln(&want, eventLine(i))
		}
		if out.String() != want.String() {
			t.Errorf("%d events are exported in %d lines, or otherwise", n, strings.Count(out.String(), "\n"))
		}
	}
	var out bytes.Buffer
	s := &session{out: &out, client: eventLog(func(call int) int { return []int{exportPage + 1, -1}[call-1] })}
	if err := s.exportEvents(t.Context(), "assistant"); exitCode(err) != exitUnreachable {
		t.Errorf("an export that breaks off ends with %v", err)
	}
}
