package alert

import (
	"net/url"

	"github.com/switchback-proxy/switchback/store"
)

// MaxText bounds a message's text, in characters.
const MaxText = maxText

// Render returns what a template makes of an event.
func Render(t *Template, ev store.Event) (string, error) { return t.render(viewOf(ev, "", "")) }

// WhatHappened says in a few words what an event tells.
func WhatHappened(ev store.Event) string { return whatHappened(ev) }

// Plain makes one bounded line of what somebody wrote.
func Plain(words string) string { return plain(words) }

// Clean returns an error without what is secret of a target's URL.
func Clean(u *url.URL, err error, secrets ...string) string {
	return redacting(u, secrets...).clean(err)
}

// Schemes lists the services that there are.
var Schemes = schemes
