package alert

import (
	"net/url"

	"github.com/switchback-proxy/switchback/store"
)

// MaxText bounds a message's text, in characters.
const MaxText = maxText

// Render returns what a template makes of an event.
func Render(t *Template, ev store.Event) (string, error) { return t.render(viewOf(ev, "", "")) }

// Clean returns an error without what is secret of a target's URL.
func Clean(u *url.URL, err error, secrets ...string) string {
	return redacting(u, secrets...).clean(err)
}

// Schemes lists the services that there are.
var Schemes = schemes
