package demo

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// call sends a request and returns the answer's status and body, and the error that ended the body.
func call(t *testing.T, method, url string) (*http.Response, string, error) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return response, string(body), err
}

func startTestAgent(t *testing.T, name string) (*agent, string) {
	t.Helper()
	a := newAgent(name, 0)
	server := httptest.NewServer(a)
	t.Cleanup(server.Close)
	return a, server.URL
}

func TestAgentStreamsWholeAnswers(t *testing.T) {
	_, url := startTestAgent(t, "blue")
	for range 20 {
		response, body, err := call(t, http.MethodPost, url+"/v1/chat/completions")
		if err != nil || response.StatusCode != http.StatusOK {
			t.Fatalf("got status %d and error %v, want 200 and none", response.StatusCode, err)
		}
		if got := response.Header.Get(versionHeader); got != "blue" {
			t.Errorf("%s: got %q, want blue", versionHeader, got)
		}
		if got, want := response.Header.Get("Content-Type"), "text/event-stream"; got != want {
			t.Errorf("Content-Type: got %q, want %q", got, want)
		}
		events := strings.Split(strings.TrimSuffix(body, "\n\n"), "\n\n")
		if got := len(events) - 1; got < leastWords || got > len(reply) {
			t.Errorf("got %d words, want %d to %d", got, leastWords, len(reply))
		}
		want := `data: {"object":"chat.completion.chunk","model":"blue","choices":[{"index":0,"delta":{"content":"Sure, "}}]}`
		if events[0] != want {
			t.Errorf("first event: got %s, want %s", events[0], want)
		}
		if last := events[len(events)-1]; last+"\n\n" != done {
			t.Errorf("last event: got %q, want %q", last, done)
		}
	}
}

// TestAgentFailsInTwoWays wants a status 500 and a stream that breaks off by turns, if every answer fails.
func TestAgentFailsInTwoWays(t *testing.T) {
	a, url := startTestAgent(t, "green")
	if err := a.setFailRate(1); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		response, _, err := call(t, http.MethodPost, url)
		if response.StatusCode != http.StatusInternalServerError || err != nil {
			t.Errorf("got status %d and error %v, want 500 and none", response.StatusCode, err)
		}
		response, body, err := call(t, http.MethodPost, url)
		if response.StatusCode != http.StatusOK || err == nil || strings.Contains(body, done) {
			t.Errorf("got status %d, error %v and body %q, want 200 and a body that breaks off", response.StatusCode, err, body)
		}
		if got := response.Header.Get(versionHeader); got != "green" {
			t.Errorf("%s: got %q, want green", versionHeader, got)
		}
	}
}

func TestAgentFailRateChangesWhileItRuns(t *testing.T) {
	a, url := startTestAgent(t, "green")
	for _, tt := range []struct {
		method, query string
		want          int
	}{
		{http.MethodPut, "?rate=1", http.StatusOK},
		{http.MethodPut, "?rate=1.1", http.StatusBadRequest},
		{http.MethodPut, "?rate=-0.1", http.StatusBadRequest},
		{http.MethodPut, "?rate=NaN", http.StatusBadRequest},
		{http.MethodPut, "?rate=half", http.StatusBadRequest},
		{http.MethodPut, "", http.StatusBadRequest},
		{http.MethodPost, "?rate=0", http.StatusMethodNotAllowed},
		{http.MethodGet, "", http.StatusMethodNotAllowed},
	} {
		response, body, err := call(t, tt.method, url+failPath+tt.query)
		if err != nil || response.StatusCode != tt.want {
			t.Errorf("%s %s: got %d %q (%v), want %d", tt.method, tt.query, response.StatusCode, body, err, tt.want)
		}
	}
	if got := a.fate(); got == succeeds {
		t.Errorf("after rate=1 an answer succeeds: what was refused must change nothing")
	}
}
