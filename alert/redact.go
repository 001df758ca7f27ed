package alert

import (
	"net"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode"
)

// shortSecret is the length in bytes from which on a piece of a target's URL is kept out of errors: shorter ones are
// words like "ok".
const shortSecret = 4

// maxError bounds what is said of an error, in characters.
const maxError = 300

// publicWords are in services' URLs by their documentation.
var publicWords = []string{"hook", "webhook", "xoxb", "xoxp", "shoutrrr", "chats", "channel", "channels"}

// redactor takes out of errors what may be secret of a target: libraries put whole URLs, and services what they were sent,
// into theirs.
type redactor struct {
	pieces []string // longest first
}

// redacting returns a redactor for a target's URL and further secrets. A host that is an address stays, as without it no
// error of the network can be understood; of all else every piece is a secret.
func redacting(u *url.URL, secrets ...string) redactor {
	query, _ := url.QueryUnescape(u.RawQuery)
	password, _ := u.User.Password()
	texts := append(secrets, u.Path, u.EscapedPath(), u.RawQuery, query, u.Fragment, u.Opaque, u.User.Username(), password, u.User.String())
	if !isAddress(u.Hostname()) {
		texts = append(texts, u.Host, u.Hostname())
	}
	var r redactor
	for _, text := range texts {
		r.pieces = append(r.pieces, strings.Trim(text, "/"))
		r.pieces = append(r.pieces, strings.FieldsFunc(text, func(c rune) bool { return !unicode.IsLetter(c) && !unicode.IsDigit(c) })...)
	}
	r.pieces = slices.DeleteFunc(r.pieces, func(p string) bool {
		isPublic := p == u.Scheme || slices.Contains(publicWords, p) || isAddress(u.Hostname()) && strings.Contains(u.Hostname(), p)
		return len(p) < shortSecret || isPublic
	})
	slices.SortFunc(r.pieces, func(a, b string) int { return len(b) - len(a) })
	return r
}

// isAddress reports whether a host can be connected to: services put tokens in its place.
func isAddress(host string) bool {
	return strings.Contains(host, ".") || host == "localhost" || net.ParseIP(host) != nil
}

// anyURL finds URLs; its groups are the scheme, and the host if nothing but an address is in its place.
var anyURL = regexp.MustCompile(`([a-zA-Z][a-zA-Z0-9+.-]*)://([^\s"'/?#@]*@)?([^\s"'/?#]*)[^\s"']*`)

// clean returns an error's text without secrets, in one bounded line.
func (r redactor) clean(err error) string {
	text := anyURL.ReplaceAllString(err.Error(), "$1://$3/…")
	for _, p := range r.pieces {
		text = strings.ReplaceAll(text, p, "…")
	}
	return cut(plain(text), maxError)
}
