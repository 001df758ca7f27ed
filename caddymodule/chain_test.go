package caddymodule

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// saying writes its word and goes on, unless the word is an error.
type saying string

func (s saying) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	if s == "fail" {
		return errors.New("failed")
	}
	if _, err := fmt.Fprint(w, string(s)); err != nil {
		return err
	}
	return next.ServeHTTP(w, r)
}

func TestChain(t *testing.T) {
	never := caddyhttp.HandlerFunc(func(_ http.ResponseWriter, _ *http.Request) error {
		return errors.New("went past the variant")
	})
	for _, tt := range []struct {
		in        []caddyhttp.MiddlewareHandler
		want, err string
	}{
		{[]caddyhttp.MiddlewareHandler{saying("a"), saying("b"), saying("c")}, "abc", "<nil>"},
		{[]caddyhttp.MiddlewareHandler{saying("a"), saying("fail"), saying("c")}, "a", "failed"},
		{[]caddyhttp.MiddlewareHandler{saying("a")}, "a", "went past the variant"}, // as it is: it is given noNext
	} {
		c := newChain(tt.in)
		for range 2 { // a chain is linked once and used often
			w := httptest.NewRecorder()
			err := c.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil), never)
			if got := w.Body.String(); got != tt.want || fmt.Sprint(err) != tt.err {
				t.Errorf("%v: got %q, %v, want %q, %s", tt.in, got, err, tt.want, tt.err)
			}
		}
	}
}
