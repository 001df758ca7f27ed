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
			c, ok := h.openPinCookie(key, ids[i], text, h.attached.View().Epoch())
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
	key, id := h.app.pinKeys()[0], t.ids[0]
	text := pinCookie{pin, now}.seal(key, id)
	return &http.Cookie{
		Name:     h.pinCookieName(),
		Value:    text + "." + signPin(key, id, text),
		Path:     "/",
		MaxAge:   int(h.rememberedFor() / time.Second),
		HttpOnly: true,
		Secure:   r.TLS != nil,
		SameSite: http.SameSiteLaxMode,
	}
}

// seal returns what is signed: tags of the variant and of the epoch, and seconds since 1970. The tags tell the proxies
// which they are, and a client not even whether it is the same one as before.
func (c pinCookie) seal(key []byte, id rollout.ConversationID) string {
	at := strconv.FormatInt(c.at.Unix(), 10)
	return tagVariant(key, id, at, c.Variant) + "." + tagEpoch(key, id, at, c.Pin) + "." + at
}

// openPinCookie reads what seal wrote, if this proxy knows the variant. An epoch that is not the present one becomes 0:
// all that counts is that it was an earlier one.
func (h *Handler) openPinCookie(key []byte, id rollout.ConversationID, text string, epoch uint64) (pinCookie, bool) {
	parts := strings.Split(text, ".")
	if len(parts) != 3 {
		return pinCookie{}, false
	}
	seconds, err := strconv.ParseInt(parts[2], 10, 64)
	if err != nil {
		return pinCookie{}, false
	}
	for _, v := range h.Variants {
		if tagVariant(key, id, parts[2], v.Name) != parts[0] {
			continue
		}
		pin := splitter.Pin{Variant: v.Name, Epoch: epoch}
		if tagEpoch(key, id, parts[2], pin) != parts[1] {
			pin.Epoch = 0
		}
		return pinCookie{pin, time.Unix(seconds, 0)}, true
	}
	return pinCookie{}, false
}

// signPin binds what a cookie says to its conversation, whose id is bound to the split and the user.
func signPin(key []byte, id rollout.ConversationID, text string) string {
	return authenticate(key, "COOKIE", id, text)
}

// tagVariant stands for a variant in the cookie of a conversation that was made at a time.
func tagVariant(key []byte, id rollout.ConversationID, at, variant string) string {
	return authenticate(key, "VARIANT", id, at+"."+variant)
}

// tagEpoch stands for the epoch of a pin in the same way.
func tagEpoch(key []byte, id rollout.ConversationID, at string, pin splitter.Pin) string {
	return authenticate(key, "EPOCH", id, at+"."+pin.Variant+"."+strconv.FormatUint(pin.Epoch, 10))
}

// authenticate hashes a text of a conversation. No split is called what the purposes are: they have capital letters.
func authenticate(key []byte, purpose string, id rollout.ConversationID, text string) string {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(purpose + "\x00"))
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
