package caddymodule

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/switchback-proxy/switchback/health"
)

// inquirer is how the proxy calls itself where it asks an agent of its own accord.
const inquirer = "Switchback-Check"

// inquire asks a variant by its route, and returns what is wrong with its answer. The answer is judged as any other, and
// counts nowhere: neither as evidence nor in metrics, as no request in progress and for no user or conversation.
func (h *Handler) inquire(ctx context.Context, v *Variant, c *Check) error {
	ctx, cancel := context.WithTimeout(ctx, time.Duration(c.Timeout))
	defer cancel()
	// A proxy holds it against its upstream when a deadline passes, and not when its client leaves.
	own, leave := context.WithCancelCause(context.WithoutCancel(ctx))
	defer leave(nil)
	defer context.AfterFunc(ctx, func() { leave(context.Canceled) })()
	answer := &reply{header: http.Header{}}
	r, err := h.inquiry(own, c, answer)
	if err != nil {
		return err
	}
	x := &exchange{handler: h, request: r, client: own, view: h.attached.View(), totals: new(health.Totals), served: v,
		shown: new(shown)}
	x.ResponseWriter, x.Start, x.Flight.Cancel, x.ctx = answer, time.Now(), leave, own
	err = x.serveInquiry(v.handler)
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return fmt.Errorf("no whole answer within %s", health.Duration(c.Timeout))
	case ctx.Err() != nil:
		return ctx.Err()
	}
	return c.verdict(x.shown, answer, err)
}

// inquiry makes the request of a check as Caddy's server would have made it of one that came in.
func (h *Handler) inquiry(ctx context.Context, c *Check, w http.ResponseWriter) (*http.Request, error) {
	r, err := http.NewRequestWithContext(ctx, c.Method, c.URI, strings.NewReader(c.Body))
	if err != nil {
		return nil, err
	}
	r.Header.Set("User-Agent", inquirer)
	for name, values := range c.Header {
		r.Header[http.CanonicalHeaderKey(name)] = append([]string(nil), values...)
	}
	r.RequestURI, r.RemoteAddr, r.Host = c.URI, "127.0.0.1:0", "localhost"
	if host := r.Header.Get("Host"); host != "" {
		r.Host = host
		r.Header.Del("Host")
	}
	return caddyhttp.PrepareRequest(r, caddy.NewReplacer(), w, h.server), nil
}

// serveInquiry runs the route. There is no server around it to which a panic could go.
func (x *exchange) serveInquiry(variant caddyhttp.MiddlewareHandler) (err error) {
	defer func() {
		if broken := recover(); broken != nil && !isAbort(broken) {
			err = fmt.Errorf("its route panicked: %v", broken)
		}
	}()
	return x.serve(variant)
}

// verdict returns what is wrong with an answer; nil if it is as the check asks.
func (c *Check) verdict(s *shown, answer *reply, err error) error {
	status := answer.statusAfter(err)
	switch o := s.outcome; {
	case o.Class == health.Failure && o.Cause != health.CauseStatus:
		return failureOf(o.Cause, s.code, err)
	case c.Status == nil && o.Class == health.Failure:
		return fmt.Errorf("status %d", status)
	case c.Status != nil && !c.expects(status):
		return fmt.Errorf("status %d, expected is %s", status, c.expected())
	case c.BodyContains != "" && !bytes.Contains(answer.body, []byte(c.BodyContains)):
		return fmt.Errorf("its answer does not contain %q", c.BodyContains)
	}
	return nil
}

// failureOf says of what an answer failed, in the words of metrics and logs. People are told it, so that of an error of
// Caddy's only the cause is kept, without the place in Caddy's source that it was raised at.
func failureOf(cause health.Cause, code string, err error) error {
	text := cause.String()
	if code != "" {
		text += " (" + code + ")"
	}
	if raised, ok := errors.AsType[caddyhttp.HandlerError](err); ok && raised.Err != nil {
		err = raised.Err
	}
	if err != nil {
		return fmt.Errorf("%s: %w", text, err)
	}
	return errors.New(text)
}
