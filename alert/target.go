package alert

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/nicholas-fedor/shoutrrr/pkg/services/chat/telegram"

	"github.com/switchback-proxy/switchback/rollout"
	"github.com/switchback-proxy/switchback/splitter"
	"github.com/switchback-proxy/switchback/store"
)

// Config configures a target: somebody to be told.
type Config struct {
	// Name names the target in status, metrics and the store.
	Name string
	// URL is http:// or https:// for a webhook, or a URL of shoutrrr's: slack://, pagerduty://, smtp:// … Often a secret.
	URL string
	// Secret signs what a webhook is sent; empty: nothing is signed.
	Secret string
	// Events lists the kinds of event that are told; empty: all.
	Events []string
	// Severity is how urgent an event must be at least.
	Severity Severity
	// Template makes the text; nil: all that is known of the event.
	Template *Template
	// Link is where to look; empty: nowhere.
	Link string
	// Contact returns who is called when a split needs a person. Nil: nobody.
	Contact func(split string) string
}

// target is a Config that can send.
type target struct {
	Config
	redactor redactor
	deliver  deliverer
}

// deliverer sends an event in the words of a View.
type deliverer func(ctx context.Context, ev store.Event, v View) error

// New returns a target that can be told events. It asks nobody. No error, its own or one of sending, has a secret in it.
func New(cfg Config) (rollout.Target, error) {
	if err := CheckURL(cfg.URL, cfg.Secret != ""); err != nil {
		return rollout.Target{}, err
	}
	for _, name := range cfg.Events {
		if err := CheckKind(name); err != nil {
			return rollout.Target{}, err
		}
	}
	u, err := url.Parse(cfg.URL)
	if err != nil {
		return rollout.Target{}, errNoURL
	}
	t := &target{Config: cfg, redactor: redacting(u, cfg.Secret)}
	if t.deliver, err = sender(u, cfg.Secret); err != nil {
		return rollout.Target{}, fmt.Errorf("its URL is none that %s takes: %s", u.Scheme, t.redactor.clean(err))
	}
	return rollout.Target{Name: cfg.Name, Wants: t.wants, Send: t.send, Test: t.test}, nil
}

// sender returns what sends to a URL. Its errors may have secrets in them.
func sender(u *url.URL, secret string) (deliverer, error) {
	switch {
	case isWebhook(u):
		return (&webhook{u, secret}).send, nil
	case u.Scheme == telegram.Scheme:
		b, err := newBot(u)
		return func(ctx context.Context, _ store.Event, v View) error { return b.send(ctx, v) }, err
	}
	s, err := newService(u)
	return func(ctx context.Context, _ store.Event, v View) error { return s.send(ctx, v) }, err
}

// errNoURL has nothing of the URL in it, unlike the library's error.
var errNoURL = errors.New("its URL cannot be read: it must be https://… for a webhook, or such as slack://… or smtp://…")

// CheckURL says what is wrong with a target's URL as far as its scheme tells, without any of it but that in the error.
// signed says that the target has a secret to sign with.
func CheckURL(text string, signed bool) error {
	u, err := url.Parse(text)
	if err != nil || u.Scheme == "" {
		return errNoURL
	}
	scheme, _, _ := strings.Cut(u.Scheme, "+")
	switch {
	case isWebhook(u) && u.Hostname() == "":
		return errNoURL
	case isWebhook(u):
		return nil
	case !slices.Contains(schemes(), scheme):
		return fmt.Errorf("its URL begins with %s://: it must be http or https, or one of %s", u.Scheme, strings.Join(schemes(), ", "))
	case signed:
		return fmt.Errorf("a secret goes with http:// and https:// only: %s does not check signatures", scheme)
	}
	return nil
}

// CheckKind says so if there is no event of that kind.
func CheckKind(name string) error {
	if _, ok := kinds[name]; !ok {
		return fmt.Errorf("events %q: it must be one of %s", name, strings.Join(Kinds(), ", "))
	}
	return nil
}

func isWebhook(u *url.URL) bool { return u.Scheme == "http" || u.Scheme == "https" }

// wants reports whether the target is to be told of an event.
func (t *target) wants(ev store.Event) bool {
	return SeverityOf(ev) >= t.Severity && (len(t.Events) == 0 || slices.Contains(t.Events, ev.Kind))
}

// send tells of an event, and returns when ctx is done at the latest.
func (t *target) send(ctx context.Context, ev store.Event) error {
	if err := t.deliver(ctx, ev, t.view(ev)); err != nil {
		return errors.New(t.redactor.clean(err))
	}
	return nil
}

// view describes an event in the target's words. One that its template fails for is told without it.
func (t *target) view(ev store.Event) View {
	contact := ""
	if t.Contact != nil && ev.Split != "" {
		contact = plain(t.Contact(ev.Split))
	}
	v := viewOf(ev, t.Link, contact)
	if t.Template == nil {
		return v
	}
	if text, err := t.Template.render(v); err == nil {
		v.Text = text
	}
	return v
}

// test sends a message that says that it is one.
func (t *target) test(ctx context.Context) error {
	return t.send(ctx, store.Event{ID: rand.Text(), Change: splitter.Change{
		Kind: kindTest, At: time.Now(), Reason: fmt.Sprintf("somebody tries the target %q; nothing happened", t.Name),
	}})
}
