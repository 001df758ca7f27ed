package caddymodule

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"net/http"
	"time"

	"github.com/switchback-proxy/switchback/rollout"
	"github.com/switchback-proxy/switchback/splitter"
)

// talk is the conversation of one request, and what was found out of where it is.
type talk struct {
	name   string                   // as the client says it
	ids    []rollout.ConversationID // under each of the fleet's keys, the present one first
	cookie pinCookie                // the one that the client brought; zero if it is not in order
	asked  bool                     // whether it was looked for
	lookUp rollout.LookUp           // what became of asking the store, if it was
	pin    splitter.Pin             // where it is; zero if that is not known
	// moved says that its user's bucket was taken from some variant lately, so that a pin may count.
	moved bool
}

// talkOf finds out which conversation a request belongs to; if it brings no ID, the agent may name one in its answer.
// That costs reading its body, so it is not done where no pin could count.
func (h *Handler) talkOf(r *http.Request, p placement) (t *talk, unnamed bool) {
	if h.Conversation == nil || p.Key == "" || p.Override > 0 {
		return nil, false
	}
	keys := h.app.pinKeys()
	if len(keys) == 0 || h.attached.View().Table.Decide(p.Request).Variant < 0 {
		return nil, false
	}
	name := h.Conversation.idOf(r)
	if name == "" {
		return nil, len(h.Conversation.headers) > 0
	}
	t = &talk{name: name, ids: make([]rollout.ConversationID, len(keys))}
	for i, key := range keys {
		t.ids[i] = conversationID(key, h.Name, p.Key, name)
	}
	t.cookie = h.readPinCookie(r, keys, t.ids)
	return t, false
}

// placesPerUser is in how many places the conversations of one user may be: of eight slots each, 64 are known at most.
const placesPerUser = 8

// conversationID hashes a conversation together with whose it is: another user's conversation of the same name is
// another one.
func conversationID(key []byte, split, user, conversation string) (id rollout.ConversationID) {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(split))
	mac.Write(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(user))))
	mac.Write([]byte(user))
	places := mac.Sum(nil)
	mac.Write([]byte(conversation))
	sum := mac.Sum(nil)
	copy(id.Hash[:], sum)
	id.Place = binary.BigEndian.Uint16(places[2*(sum[len(id.Hash)]%placesPerUser):])
	return id
}

// decide places a request: by its conversation's pin, if its bucket moved and one can be found.
func (h *Handler) decide(r *http.Request, view *rollout.View, p placement) splitter.Decision {
	if view.Table.Drilling() {
		p.User = h.app.drillUser(p.Key)
	}
	t := p.talk
	if t == nil {
		return view.Table.Decide(p.Request)
	}
	now := time.Now()
	hold := h.holds.At(h.app.controller.StoreTime(now))
	if t.moved = view.Table.MayBePinned(p.Request, hold); !t.moved {
		return view.Table.Decide(p.Request)
	}
	h.find(r, t, now)
	return view.Table.DecidePinned(p.Request, t.pin, hold)
}

// find finds out where a conversation is, once: from the client's cookie, from what this proxy has seen, or from the
// store.
func (h *Handler) find(r *http.Request, t *talk, now time.Time) {
	if t.asked {
		return
	}
	t.asked = true
	if t.pin = t.cookie.Pin; t.pin != (splitter.Pin{}) {
		return
	}
	split := h.attached.Split()
	for _, id := range t.ids {
		if pin, ok := split.Conversations.Find(id, now); ok {
			t.pin = pin
			return
		}
	}
	t.pin, t.lookUp = h.app.controller.LookUp(r.Context(), split, t.ids)
}

// isUnsure reports whether the conversation may be pinned elsewhere than where its bucket took it: the store was to tell
// and could not.
func (t *talk) isUnsure() bool {
	return t.moved && t.lookUp != rollout.LookUpFound && t.lookUp != rollout.LookUpNone
}
