package alert

import (
	"errors"
	"fmt"
	"strings"
	"text/template"
	"time"

	"github.com/switchback-proxy/switchback/splitter"
	"github.com/switchback-proxy/switchback/store"
)

// Template turns an event's View into the text that is sent.
type Template struct {
	parsed *template.Template
}

// maxTemplate bounds a template, in bytes.
const maxTemplate = 16 << 10

// ParseTemplate reads a text/template over a [View] and tries it on an event of every kind, so that one which does not
// work is an error now, and not when there is something to tell.
func ParseTemplate(text string) (*Template, error) {
	if len(text) > maxTemplate {
		return nil, fmt.Errorf("template of %d bytes: it must be at most %d", len(text), maxTemplate)
	}
	parsed, err := template.New("template").Parse(text)
	if err != nil {
		return nil, fmt.Errorf("template %.80q: it must be a text/template: %w", text, err)
	}
	t := &Template{parsed}
	for _, sample := range samples() {
		if _, err := t.render(viewOf(sample, "https://example.com/", "on call")); err != nil {
			return nil, fmt.Errorf("template %.80q: it fails for %s: %w", text, sample.Kind, err)
		}
	}
	return t, nil
}

// render returns what the template makes of an event, bounded.
func (t *Template) render(v View) (string, error) {
	var out bounded
	if err := t.parsed.Execute(&out, v); err != nil && !errors.Is(err, errFull) {
		return "", err
	}
	return cut(strings.TrimSpace(strings.ToValidUTF8(out.String(), "")), maxText), nil
}

// errFull ends a template that writes more than a message may have.
var errFull = errors.New("the message is full")

// bounded takes what a message may have, and a little more, so that its end is seen to be cut.
type bounded struct{ strings.Builder }

// Write returns errFull once there is enough.
func (b *bounded) Write(p []byte) (int, error) {
	const enough = 4 * (maxText + 1) // bytes of that many characters
	n, _ := b.Builder.Write(p[:min(len(p), enough-b.Len())])
	if n < len(p) {
		return n, errFull
	}
	return n, nil
}

// samples are an event of each kind, one with everything and one with as little as there can be.
func samples() []store.Event {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	full := store.Event{
		ID: "0123456789abcdef", Split: "assistant", Revision: 7, Epoch: 3,
		Change:   splitter.Change{Actor: "alice", Via: "socket", At: at, Reason: "12 of 400 failed"},
		From:     map[string]splitter.Weight{"blue": splitter.Full - 1000, "green": 1000},
		To:       map[string]splitter.Weight{"blue": splitter.Full, "green": 0},
		Kills:    []splitter.Kill{{ID: "k", Variant: "green"}},
		Evidence: []byte(`{"result":"fail","evidence":120,"threshold":100,"streams":[{"stream":"errors","canary":{"n":400,"k":12}}]}`),
	}
	var all []store.Event
	for _, name := range append(Kinds(), kindTest) {
		full.Kind = name
		all = append(all, full, store.Event{Change: splitter.Change{Kind: name}})
	}
	return all
}
