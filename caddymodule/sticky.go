package caddymodule

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/switchback-proxy/switchback/rollout"
	"github.com/switchback-proxy/switchback/splitter"
)

const (
	stickyBytes = 16 // of randomness in an ID, and of its signature
	stickyDays  = 30
	// stickyTries bounds the search for a random ID that lands where the client's address did.
	stickyTries = 2000
)

// sticky tells how an anonymous request was placed. The zero value means that it was not anonymous, or that its
// cookie is in order.
type sticky uint8

const (
	stickyNone    sticky = iota
	stickyNew            // by its address, as it brought no valid cookie
	stickyResign         // by its cookie, which is signed with a previous secret
	stickyUnknown        // by its address; cookies cannot be signed, as the fleet's secret is not known yet
)

func (h *Handler) cookieName() string { return "switchback_" + h.Name }

// anonymousKey places a client by the ID in its signed cookie, or, until it brings one, by its address.
func (h *Handler) anonymousKey(r *http.Request) (string, sticky) {
	keys := h.app.keyring()
	if len(keys) == 0 {
		return clientIP(r), stickyUnknown
	}
	id, signature, _ := strings.Cut(cookieValue(r, h.cookieName()), ".")
	for i, key := range keys {
		if id != "" && hmac.Equal([]byte(signature), []byte(sign(key, h.Name, id))) {
			if i > 0 {
				return id, stickyResign
			}
			return id, stickyNone
		}
	}
	h.warnOfProxy(r)
	return clientIP(r), stickyNew
}

// warnOfProxy says, once, that visitors seem to come through a proxy that the server does not trust: they all have its
// address then, and first come to one variant together, whatever the weights.
func (h *Handler) warnOfProxy(r *http.Request) {
	trusted, _ := caddyhttp.GetVar(r.Context(), caddyhttp.TrustedProxyVarKey).(bool)
	if trusted || len(r.Header["X-Forwarded-For"]) == 0 {
		return
	}
	h.forwarded.Do(func() {
		h.log.Warn("visitors come through a proxy that is not among the server's trusted_proxies: all that bring no key and"+
			" no cookie have its address, and are placed as one", zap.String("split", h.Name))
	})
}

// stickyCookie returns the cookie to set, or nil. A new ID is chosen so that it lands on the variant that serves the
// request now: the user does not change sides when the cookie comes back.
func (h *Handler) stickyCookie(r *http.Request, p placement, view *rollout.View) *http.Cookie {
	if p.sticky != stickyNew && p.sticky != stickyResign {
		return nil
	}
	keys := h.app.keyring()
	if len(keys) == 0 {
		return nil
	}
	id := p.Key
	if p.sticky == stickyNew {
		id = newStickyID(view.Table, p.Key)
	}
	return &http.Cookie{
		Name:     h.cookieName(),
		Value:    id + "." + sign(keys[0], h.Name, id),
		Path:     "/",
		MaxAge:   stickyDays * int(24*time.Hour/time.Second),
		HttpOnly: true,
		Secure:   r.TLS != nil,
		SameSite: http.SameSiteLaxMode,
	}
}

// newStickyID draws random IDs until one is served by the same variant as key is (stable, if key is empty). On a canary
// too small for that, the last one drawn must do.
func newStickyID(table *splitter.Table, key string) string {
	want := table.Decide(splitter.Request{Key: key}).Variant
	id := ""
	for range stickyTries {
		var b [stickyBytes]byte
		_, _ = rand.Read(b[:]) // never fails: crypto/rand ends the program instead
		id = base64.RawURLEncoding.EncodeToString(b[:])
		if table.Decide(splitter.Request{Key: id}).Variant == want {
			break
		}
	}
	return id
}

// sign binds an ID to its split.
func sign(key []byte, split, id string) string {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(split))
	mac.Write([]byte{0})
	mac.Write([]byte(id))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil)[:stickyBytes])
}

// isCacheable reports whether a shared cache may keep the answer; a cookie in it would become everybody's.
func isCacheable(header http.Header) bool {
	control := strings.ToLower(strings.Join(header.Values("Cache-Control"), ","))
	for _, never := range []string{"private", "no-store", "no-cache"} {
		if strings.Contains(control, never) {
			return false
		}
	}
	explicit := strings.Contains(control, "public") || strings.Contains(control, "max-age=") ||
		strings.Contains(control, "s-maxage=") || header.Get("Expires") != ""
	return explicit || control == "" && (header.Get("Last-Modified") != "" || header.Get("ETag") != "")
}

// keyring is what was derived from the fleet's secrets, the present one's first.
type keyring struct {
	secrets []string
	keys    [][]byte // these sign cookies
	pins    [][]byte // these hash conversations
}

// keyring returns the keys that sign cookies, the present one first; none until the fleet's secret is known.
func (a *App) keyring() [][]byte { return a.keys().keys }

// pinKeys returns the keys that conversations are hashed with, the present one first; none until the fleet's secret is
// known.
func (a *App) pinKeys() [][]byte { return a.keys().pins }

func (a *App) keys() *keyring {
	secrets := a.Secrets
	if len(secrets) == 0 {
		secrets = a.controller.Secrets()
	}
	if ring := a.ring.Load(); ring != nil && slices.Equal(ring.secrets, secrets) {
		return ring
	}
	ring := &keyring{secrets: secrets}
	for _, secret := range secrets {
		cookies, err := hkdf.Key(sha256.New, []byte(secret), []byte("switchback"), "cookies", sha256.Size)
		pins, errPins := hkdf.Key(sha256.New, []byte(secret), []byte("switchback"), "pins", sha256.Size)
		if err := errors.Join(err, errPins); err != nil {
			a.log.Error("cookies cannot be signed", zap.Error(fmt.Errorf("derive a key: %w", err)))
			return new(keyring)
		}
		ring.keys, ring.pins = append(ring.keys, cookies), append(ring.pins, pins)
	}
	if len(secrets) > 0 {
		a.ring.Store(ring)
	}
	return ring
}
