package alert

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/switchback-proxy/switchback/splitter"
	"github.com/switchback-proxy/switchback/store"
)

// The headers of a webhook's request.
const (
	// HeaderEventID is the event's idempotency key: the same for every try, and for every instance that sends it.
	HeaderEventID = "X-Switchback-Event-Id"
	// HeaderTimestamp is when this try was made, in seconds since 1970. It is signed, so that an old request can be told.
	HeaderTimestamp = "X-Switchback-Timestamp"
	// HeaderSignature is what [Signature] returns. Only with a secret.
	HeaderSignature = "X-Switchback-Signature"
)

// Signature signs a request's body: "v1=" and the HMAC-SHA256, in hexadecimal, of the timestamp as its header has it, a
// full stop and the body. Compare in constant time (hmac.Equal), and refuse timestamps that are minutes old.
func Signature(secret, timestamp string, body []byte) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(timestamp + "."))
	mac.Write(body)
	return "v1=" + hex.EncodeToString(mac.Sum(nil))
}

// Payload is the body of a webhook's request.
type Payload struct {
	// ID is the event's idempotency key.
	ID       string `json:"id"`
	Kind     string `json:"kind"`
	Severity string `json:"severity"`
	// Split is empty for what is about no split.
	Split    string    `json:"split,omitempty"`
	Revision uint64    `json:"revision,omitempty"`
	Epoch    uint64    `json:"epoch,omitempty"`
	At       time.Time `json:"at"`
	Actor    string    `json:"actor,omitempty"`
	Via      string    `json:"via,omitempty"`
	Reason   string    `json:"reason,omitempty"`
	// Title and Text are for people; a template sets Text.
	Title string `json:"title"`
	Text  string `json:"text"`
	// From and To are the weights before and after.
	From  map[string]splitter.Weight `json:"from,omitempty"`
	To    map[string]splitter.Weight `json:"to,omitempty"`
	Kills []splitter.Kill            `json:"kills,omitempty"`
	// Evidence is the verdict that a change rested on.
	Evidence json.RawMessage `json:"evidence,omitempty"`
	Link     string          `json:"link,omitempty"`
	Contact  string          `json:"contact,omitempty"`
}

// maxAnswer is how much of a webhook's answer is read, so that its connection can be used again.
const maxAnswer = 64 << 10

// poster sends no request anywhere but where it was told to: redirected, it would be another one's business.
var poster = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}

// webhook sends events as JSON.
type webhook struct {
	url    *url.URL
	secret string
}

func (w *webhook) send(ctx context.Context, ev store.Event, v View) error {
	body, err := json.Marshal(Payload{
		ID: ev.ID, Kind: ev.Kind, Severity: v.Severity, Split: ev.Split, Revision: ev.Revision, Epoch: ev.Epoch, At: ev.At,
		Actor: ev.Actor, Via: ev.Via, Reason: ev.Reason, Title: v.Title, Text: v.Text, From: ev.From, To: ev.To,
		Kills: ev.Kills, Evidence: ev.Evidence, Link: v.Link, Contact: v.Contact,
	})
	if err != nil {
		return fmt.Errorf("encode the event: %w", err)
	}
	req, err := w.request(ctx, ev.ID, body)
	if err != nil {
		return err
	}
	return answered(poster.Do(req))
}

func (w *webhook) request(ctx context.Context, id string, body []byte) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.url.String(), bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	timestamp := strconv.FormatInt(time.Now().Unix(), 10)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "switchback")
	req.Header.Set(HeaderEventID, id)
	req.Header.Set(HeaderTimestamp, timestamp)
	if w.secret != "" {
		req.Header.Set(HeaderSignature, Signature(w.secret, timestamp, body))
	}
	return req, nil
}

// answered says what is wrong with an answer: all but a status of 2xx.
func answered(resp *http.Response, err error) error {
	if wrapped := new(url.Error); errors.As(err, &wrapped) {
		return wrapped.Err // without the URL
	}
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	_, _ = io.CopyN(io.Discard, resp.Body, maxAnswer)
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return fmt.Errorf("it answered %s", resp.Status)
	}
	return nil
}
