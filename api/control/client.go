package control

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/switchback-proxy/switchback/splitter"
)

// maxAnswer bounds what a client reads of one answer.
const maxAnswer = 16 << 20 // bytes

// ErrUnreachable means that nothing answered at the client's address.
var ErrUnreachable = errors.New("the proxy's control address cannot be reached")

// ErrForeign means that what answers at the client's address is nothing like the API.
var ErrForeign = errors.New("the answer is not Switchback's")

// ErrUnanswered means, together with ErrUnreachable, that a change may have reached the proxy, which gave no answer.
var ErrUnanswered = errors.New("no answer came, and the change may have been made")

// Doer sends a request: *http.Client, or anything like it.
type Doer interface {
	Do(*http.Request) (*http.Response, error)
}

// Client calls the API. Its methods return *Problem for what the API refuses, an error that wraps ErrUnreachable if
// nothing answers (a change also ErrUnanswered, unless it certainly was not sent) or ErrForeign if a success is no answer of
// the API, and may be called concurrently. Changes with a wait block for at most about that long.
type Client struct {
	base   string
	doer   Doer
	header http.Header
	tap    func(body []byte)
}

// NewClient returns a client of the API at base, a URL without path such as https://admin.example.com.
func NewClient(base string, doer Doer) *Client {
	return &Client{base: strings.TrimSuffix(base, "/"), doer: doer, header: http.Header{}}
}

// NewDialer returns a client of the API at a network address: "tcp" and host:port, or "unix" and a socket's path.
// It sends the Origin that Caddy's admin endpoint may ask for.
func NewDialer(network, address string) *Client {
	host := address
	if strings.HasPrefix(network, "unix") {
		host = "127.0.0.1" // Go wants a host in the URL; on a unix socket nobody looks at it
	}
	var dialer net.Dialer
	transport := &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return dialer.DialContext(ctx, network, address)
		},
		DisableKeepAlives: true,
	}
	c := NewClient("http://"+host, &http.Client{Transport: transport})
	if host == address {
		c.header.Set("Origin", c.base)
	}
	return c
}

// WithTap returns a client that shows every answer's body, problems included, to tap as it came.
func (c *Client) WithTap(tap func(body []byte)) *Client {
	tapped := *c
	tapped.tap = tap
	return &tapped
}

// List returns every split.
func (c *Client) List(ctx context.Context) (List, error) {
	return get[List](ctx, c, "", nil)
}

// Status returns one split.
func (c *Client) Status(ctx context.Context, split string) (Status, error) {
	return get[Status](ctx, c, url.PathEscape(split), nil)
}

// Events returns a split's newest events, newest first; limit 0 means the API's default.
func (c *Client) Events(ctx context.Context, split string, limit int) (Events, error) {
	query := url.Values{}
	if limit > 0 {
		query.Set("limit", strconv.Itoa(limit))
	}
	return get[Events](ctx, c, url.PathEscape(split)+"/events", query)
}

// Instances returns the fleet's members.
func (c *Client) Instances(ctx context.Context) (Instances, error) {
	return get[Instances](ctx, c, "-/instances", nil)
}

// Ready asks whether the instance serves what the fleet has decided. Not being ready is no error.
func (c *Client) Ready(ctx context.Context) (Readiness, error) {
	var ready Readiness
	status, body, err := c.send(ctx, http.MethodGet, "-/ready", nil, nil, nil)
	if err != nil {
		return ready, err
	}
	if status == http.StatusServiceUnavailable && json.Unmarshal(body, &ready) == nil && ready.NotReady != nil {
		return ready, nil
	}
	return ready, read(status, body, &ready)
}

// Option says how a change is to be made.
type Option func(*options)

type options struct {
	wait    time.Duration
	version *splitter.Version
}

// Wait lets the change be answered when all members have applied it, or after d, at most a minute.
func Wait(d time.Duration) Option { return func(o *options) { o.wait = d } }

// If refuses the change unless the State still has version v.
func If(v splitter.Version) Option { return func(o *options) { o.version = &v } }

// SetWeights changes a split's weights.
func (c *Client) SetWeights(ctx context.Context, split string, r WeightsRequest, o ...Option) (Change, error) {
	return c.change(ctx, http.MethodPatch, split, "weights", r, o)
}

// Kill turns a kill switch on.
func (c *Client) Kill(ctx context.Context, split string, r KillRequest, o ...Option) (Change, error) {
	return c.change(ctx, http.MethodPost, split, "kill", r, o)
}

// Revive lifts kills.
func (c *Client) Revive(ctx context.Context, split string, r ReviveRequest, o ...Option) (Change, error) {
	return c.change(ctx, http.MethodPost, split, "revive", r, o)
}

// Rename gives a variant another name.
func (c *Client) Rename(ctx context.Context, split string, r RenameRequest, o ...Option) (Change, error) {
	return c.change(ctx, http.MethodPost, split, "rename", r, o)
}

// Adopt takes a file's roles and weights over.
func (c *Client) Adopt(ctx context.Context, split string, r AdoptRequest, o ...Option) (Change, error) {
	return c.change(ctx, http.MethodPost, split, "adopt", r, o)
}

// ApplyPolicy judges the running epoch by the file's policy from now on.
func (c *Client) ApplyPolicy(ctx context.Context, split string, r PolicyRequest, o ...Option) (Change, error) {
	return c.change(ctx, http.MethodPost, split, "policy", r, o)
}

func (c *Client) change(ctx context.Context, method, split, what string, r any, o []Option) (Change, error) {
	return ask[Change](ctx, c, method, split, what, r, o)
}

// ask sends what changes something, and returns what the API says of it.
func ask[T any](ctx context.Context, c *Client, method, split, what string, r any, opts []Option) (T, error) {
	var o options
	for _, set := range opts {
		set(&o)
	}
	header, query := jsonHeader(), url.Values{}
	if o.version != nil {
		header.Set("If-Match", entityTag(*o.version))
	}
	if o.wait > 0 {
		query.Set("wait", o.wait.String())
	}
	var answer T
	body, err := json.Marshal(r)
	if err != nil {
		return answer, fmt.Errorf("encode the request: %w", err)
	}
	status, got, err := c.send(ctx, method, url.PathEscape(split)+"/"+what, query, header, body)
	if err != nil {
		return answer, unanswered(err)
	}
	return answer, read(status, got, &answer)
}

// jsonHeader is the header of a request with a JSON body.
func jsonHeader() http.Header { return http.Header{"Content-Type": {"application/json"}} }

func get[T any](ctx context.Context, c *Client, path string, query url.Values) (T, error) {
	var answer T
	status, body, err := c.send(ctx, http.MethodGet, path, query, nil, nil)
	if err != nil {
		return answer, err
	}
	return answer, read(status, body, &answer)
}

// send makes one request and returns the answer's status and body.
func (c *Client) send(ctx context.Context, method, path string, query url.Values, header http.Header, body []byte) (int, []byte, error) {
	resp, err := c.open(ctx, method, path, query, header, body)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return 0, nil, fmt.Errorf("%w: reading the answer: %w", ErrUnreachable, err)
	}
	if c.tap != nil {
		c.tap(got)
	}
	return resp.StatusCode, got, nil
}

// open makes one request and returns the answer, whose body the caller must close.
func (c *Client) open(ctx context.Context, method, path string, query url.Values, header http.Header, body []byte) (*http.Response, error) {
	target := c.base + Prefix + path
	if text := query.Encode(); text != "" {
		target += "?" + text
	}
	r, err := http.NewRequestWithContext(ctx, method, target, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("make the request: %w", err)
	}
	for _, h := range []http.Header{c.header, header} {
		for name, values := range h {
			r.Header[name] = values
		}
	}
	resp, err := c.doer.Do(r)
	if err != nil {
		return nil, unreachable(err)
	}
	return resp, nil
}

// unreachable says why nothing answers; of the URL, which for a socket is made up, it keeps nothing.
func unreachable(err error) error {
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		err = wrapped.Err
	}
	return fmt.Errorf("%w: %w", ErrUnreachable, err)
}

// unanswered says of a change that failed on the way that it may have been made, unless nobody could be called at all.
func unanswered(err error) error {
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "dial" || !errors.Is(err, ErrUnreachable) {
		return err
	}
	return fmt.Errorf("%w: %w", ErrUnanswered, err)
}

// read decodes an answer into v, or returns the problem that it is.
func read(status int, body []byte, v any) error {
	if status < 200 || status > 299 {
		return problemFrom(status, body)
	}
	if err := json.Unmarshal(body, v); err != nil {
		return fmt.Errorf("%w: %w", ErrForeign, err)
	}
	return nil
}

// problemFrom returns what an error answer says. Caddy's admin endpoint and proxies in front refuse in words of their
// own, which become the detail.
func problemFrom(status int, body []byte) *Problem {
	var p Problem
	if json.Unmarshal(body, &p) == nil && strings.HasPrefix(p.Type, problemType) {
		p.Status = status
		return &p
	}
	var caddy struct {
		Error string `json:"error"`
	}
	refusal := &Problem{Type: "about:blank", Title: http.StatusText(status), Status: status}
	if json.Unmarshal(body, &caddy) == nil && caddy.Error != "" {
		refusal.Detail = caddy.Error
		return refusal
	}
	refusal.Detail = strings.TrimSpace(string(body[:min(len(body), 500)]))
	refusal.foreign = true
	return refusal
}
