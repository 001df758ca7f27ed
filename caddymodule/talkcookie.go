package caddymodule

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/switchback-proxy/switchback/rollout"
	"github.com/switchback-proxy/switchback/splitter"
)

// pinCookie is what the cookie of a conversation says: where it was, and when.
type pinCookie struct {
	splitter.Pin
	at time.Time
}

// clocksOfProxies is by how much the clocks of two proxies may differ that sign and read a cookie.
const clocksOfProxies = time.Minute

// pinCookieName has a beginning that no sticky cookie has. There is one for all conversations of a split: of several at
// once, the others are looked for elsewhere.
func (h *Handler) pinCookieName() string { return "switchback-pin_" + h.Name }

// readPinCookie returns what a request's cookie says of its conversation. A cookie that is not signed for this very
// conversation of this very user, or is older than one is remembered, says nothing.
func (h *Handler) readPinCookie(r *http.Request, keys [][]byte, ids []rollout.ConversationID) pinCookie {
	text, signature, _ := cutLast(cookieValue(r, h.pinCookieName()), ".")
	if text == "" {
		return pinCookie{}
	}
	for i, key := range keys {
		if hmac.Equal([]byte(signature), []byte(signPin(key, ids[i], text))) {
			c, ok := parsePinCookie(text)
			if age := time.Since(c.at); !ok || age > h.rememberedFor() || age < -clocksOfProxies {
				return pinCookie{}
			}
			return c
		}
	}
	return pinCookie{}
}

// rememberedFor is how long a conversation is remembered that does not go on: a cookie is made anew after a quarter of
// the time to hold.
func (h *Handler) rememberedFor() time.Duration {
	hold := time.Duration(h.holds.Hold)
	return hold + hold/4
}

// newPinCookie returns the cookie to set, or nil if the client keeps none, or has a fresh one.
func (h *Handler) newPinCookie(r *http.Request, t *talk, pin splitter.Pin, hold time.Duration, now time.Time) *http.Cookie {
	isFresh := t.cookie.Pin == pin && now.Sub(t.cookie.at) < hold/4
	if isFresh || len(r.Header["Cookie"]) == 0 {
		return nil
	}
	text := pinCookie{pin, now}.String()
	return &http.Cookie{
		Name:     h.pinCookieName(),
		Value:    text + "." + signPin(h.app.pinKeys()[0], t.ids[0], text),
		Path:     "/",
		MaxAge:   int(h.rememberedFor() / time.Second),
		HttpOnly: true,
		Secure:   r.TLS != nil,
		SameSite: http.SameSiteLaxMode,
	}
}

// String is what is signed: variant, epoch, seconds since 1970.
func (c pinCookie) String() string {
	return c.Variant + "." + strconv.FormatUint(c.Epoch, 10) + "." + strconv.FormatInt(c.at.Unix(), 10)
}

// parsePinCookie reads what String wrote.
func parsePinCookie(text string) (pinCookie, bool) {
	parts := strings.Split(text, ".")
	if len(parts) != 3 || !splitter.ValidName(parts[0]) {
		return pinCookie{}, false
	}
	epoch, err := strconv.ParseUint(parts[1], 10, 64)
	seconds, errAt := strconv.ParseInt(parts[2], 10, 64)
	if err != nil || errAt != nil {
		return pinCookie{}, false
	}
	return pinCookie{splitter.Pin{Variant: parts[0], Epoch: epoch}, time.Unix(seconds, 0)}, true
}

// signPin binds what a cookie says to its conversation, whose id is bound to the split and the user.
func signPin(key []byte, id rollout.ConversationID, text string) string {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte("COOKIE\x00")) // which no split is called
	mac.Write(id.Hash[:])
	mac.Write([]byte(text))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil)[:stickyBytes])
}

// cutLast cuts s around the last separator.
func cutLast(s, separator string) (before, after string, found bool) {
	i := strings.LastIndex(s, separator)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(separator):], true
}
