package control_test

import (
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/switchback-proxy/switchback/api/control"
)

// answering is a Doer that gets one answer to everything.
type answering struct {
	status int
	body   string
}

func (a answering) Do(*http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	w.WriteHeader(a.status)
	_, err := w.WriteString(a.body)
	return w.Result(), err
}

// answered returns what a client makes of an answer.
func answered(t *testing.T, status int, body string) error {
	t.Helper()
	_, err := control.NewClient("http://proxy", answering{status, body}).Status(t.Context(), "assistant")
	if err == nil {
		t.Fatalf("%d %s is no error", status, body)
	}
	return err
}

func TestCallProblem(t *testing.T) {
	const urn = "urn:switchback:problem:"
	unreachable := fmt.Errorf("%w: dial tcp: %w", control.ErrUnreachable, syscall.ECONNREFUSED)
	refused := &control.Problem{Type: urn + "refused", Title: "Refused", Status: 409, Detail: "no"}
	tests := []struct {
		in   error
		want control.Problem
	}{
		{fmt.Errorf("leftover: %w", answered(t, 409, `{"type":"urn:switchback:problem:refused","title":"Refused","detail":"no"}`)), *refused},
		{unreachable, control.Problem{Type: urn + "unreachable", Title: "Proxy unreachable", Detail: unreachable.Error()}},
		{fmt.Errorf("%w: %w", control.ErrUnanswered, unreachable),
			control.Problem{Type: urn + "unanswered", Title: "No answer came", Detail: control.ErrUnanswered.Error() + ": " + unreachable.Error()}},
		{answered(t, 403, `{"error":"host not allowed"}`),
			control.Problem{Type: urn + "admin", Title: "Refused by Caddy's admin endpoint", Status: 403, Detail: "host not allowed"}},
		{fmt.Errorf("no proxy: %w", answered(t, 404, "<html>")),
			control.Problem{Type: urn + "foreign", Title: "Not Switchback's answer", Status: 404, Detail: "no proxy: <html>"}},
		{answered(t, 200, "[]"), control.Problem{Type: urn + "foreign", Title: "Not Switchback's answer",
			Detail: answered(t, 200, "[]").Error()}},
		{&fs.PathError{Op: "open", Path: "splits.json", Err: syscall.ENOENT},
			control.Problem{Type: urn + "machine", Title: "Failed on the caller's machine", Detail: "open splits.json: no such file or directory"}},
		{errors.New("weight 200%: too much"),
			control.Problem{Type: urn + "invalid", Title: "Invalid request", Detail: "weight 200%: too much"}},
	}
	for _, tt := range tests {
		if diff := cmp.Diff(tt.want, *control.CallProblem(tt.in), cmpopts.IgnoreUnexported(control.Problem{})); diff != "" {
			t.Errorf("CallProblem(%v) (-want +got):\n%s", tt.in, diff)
		}
	}
}
