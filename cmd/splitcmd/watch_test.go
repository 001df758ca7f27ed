package splitcmd

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/switchback-proxy/switchback/api/control"
)

// doer answers requests without a network, so that time can be bent.
type doer func(*http.Request) (*http.Response, error)

func (d doer) Do(r *http.Request) (*http.Response, error) { return d(r) }

func TestWatchLooksEverySecondAndSurvivesAnOutage(t *testing.T) {
	api := &replay{t: t, answers: map[string]string{"GET /splits/v1/assistant": "status"}}
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 3500*time.Millisecond)
		defer cancel()
		calls := 0
		client := control.NewClient("http://proxy", doer(func(r *http.Request) (*http.Response, error) {
			if calls++; calls == 2 {
				return nil, errors.New("connection refused")
			}
			w := httptest.NewRecorder()
			api.ServeHTTP(w, r)
			return w.Result(), nil
		}))
		var out bytes.Buffer
		s := &session{client: client, out: &out, look: look{zone: time.UTC, colours: true}}
		if err := s.watch(ctx, "assistant"); err != nil {
			t.Fatal(err)
		}
		if calls != 4 {
			t.Errorf("looked %d times in 3.5 s, want 4", calls)
		}
		if n := strings.Count(out.String(), "\x1b[H\x1b[2J"); n != 4 {
			t.Errorf("the screen was cleared %d times, want 4", n)
		}
		if !strings.Contains(out.String(), "connection refused") {
			t.Errorf("the outage is not shown:\n%s", out.String())
		}
	})
}

// For programs, a proxy that is away for a moment is a document as well.
func TestWatchAsJSON(t *testing.T) {
	api := &replay{t: t, answers: map[string]string{"GET /splits/v1/assistant": "status"}}
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 2500*time.Millisecond)
		defer cancel()
		calls := 0
		client := control.NewClient("http://proxy", doer(func(r *http.Request) (*http.Response, error) {
			if calls++; calls == 2 {
				return nil, errors.New("connection refused")
			}
			w := httptest.NewRecorder()
			api.ServeHTTP(w, r)
			return w.Result(), nil
		}))
		var out bytes.Buffer
		s := &session{out: &out, json: true}
		s.client = client.WithTap(func(body []byte) { s.document = body })
		if err := s.watch(ctx, "assistant"); err != nil {
			t.Fatal(err)
		}
		var got []string
		for d := json.NewDecoder(&out); ; {
			var document struct{ Split, Type string }
			err := d.Decode(&document)
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, document.Split+document.Type)
		}
		want := []string{"assistant", "urn:switchback:problem:unreachable", "assistant"}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("documents (-want +got):\n%s", diff)
		}
	})
}

func TestWatchEndsIfThereIsNothingToWatch(t *testing.T) {
	api := &replay{t: t, answers: map[string]string{"GET /splits/v1/nobody": "unknown_split"}}
	server := httptest.NewServer(api)
	defer server.Close()
	s := &session{client: control.NewClient(server.URL, server.Client()), out: new(bytes.Buffer), look: look{zone: time.UTC}}
	if err := s.watch(t.Context(), "nobody"); exitCode(err) != exitError {
		t.Errorf("watch ended with %v, want an error", err)
	}
}
