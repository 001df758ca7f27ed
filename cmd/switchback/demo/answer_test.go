package demo

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestJudge(t *testing.T) {
	whole := []byte("data: {}\n\n" + done)
	fromAgent := http.Header{versionHeader: {"green"}}
	comeBack := http.Header{"Retry-After": {"30"}}
	for _, tt := range []struct {
		name   string
		status int
		header http.Header
		body   []byte
		err    error
		want   result
		why    string
	}{
		{"whole", 200, fromAgent, whole, nil, served, ""},
		{"cut off", 200, fromAgent, []byte("data: {}\n\n"), errors.New("unexpected EOF"), failed, "broke off"},
		{"cut off after the end", 200, fromAgent, whole, errors.New("unexpected EOF"), failed, "broke off"},
		{"without an end", 200, fromAgent, []byte("data: {}\n\n"), nil, failed, "too early"},
		{"empty", 200, nil, nil, nil, failed, "too early"},
		{"error of the agent", 500, fromAgent, nil, nil, failed, "status 500"},
		{"error of the proxy", 502, nil, nil, nil, failed, "status 502"},
		{"not found", 404, nil, nil, nil, failed, "status 404"},
		{"kill switch", 503, comeBack, nil, nil, refused, "after 30 s"},
		{"503 that invites nobody back", 503, nil, nil, nil, failed, "status 503"},
		{"503 of the agent", 503, http.Header{versionHeader: {"green"}, "Retry-After": {"1"}}, nil, nil, failed, "status 503"},
	} {
		response := &http.Response{StatusCode: tt.status, Header: tt.header}
		got, why := judge(response, tt.body, tt.err)
		if got != tt.want || !strings.Contains(why, tt.why) || (why == "") != (tt.why == "") {
			t.Errorf("%s: got %d %q, want %d %q", tt.name, got, why, tt.want, tt.why)
		}
	}
}

func TestAskTellsTheUserAndTheVariant(t *testing.T) {
	var user string
	blueAgent := newAgent(blue, 0)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user = r.Header.Get("X-User-ID")
		blueAgent.ServeHTTP(w, r)
	}))
	defer server.Close()
	a, ok := ask(t.Context(), server.Client(), server.URL, "user-0007")
	if !ok || a.variant != blue || a.result != served || a.took <= 0 {
		t.Errorf("got %+v (ok %t), want a whole answer of blue", a, ok)
	}
	if user != "user-0007" {
		t.Errorf("X-User-ID: got %q, want user-0007", user)
	}
}

func TestAskWithoutAServer(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	server.Close()
	a, ok := ask(t.Context(), http.DefaultClient, server.URL, "user")
	if !ok || a.result != failed || a.why == "" {
		t.Errorf("got %+v (ok %t), want a failed answer that says why", a, ok)
	}
}

func TestAskThatNobodyWaitsForIsNoAnswer(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			t.Errorf("reading the question: %v", err)
		}
		cancel()
		<-r.Context().Done()
	}))
	defer server.Close()
	if a, ok := ask(ctx, server.Client(), server.URL, "user"); ok {
		t.Errorf("got %+v, want no answer", a)
	}
}
