package caddymodule

import (
	"net/http"
	"strings"
	"time"

	"github.com/switchback-proxy/switchback/rollout"
	"github.com/switchback-proxy/switchback/splitter"
)

// talkNote says where a conversation goes on.
type talkNote struct {
	id     rollout.ConversationID
	pin    splitter.Pin
	ifNone bool // leave it where another proxy saw it
}

// noteTalk notes where a request's conversation goes on, and returns the cookie that tells the client's next request, or
// nil. Nothing is noted of a request that went where it did for want of anything better.
func (h *Handler) noteTalk(r *http.Request, p placement, x *exchange, d splitter.Decision) *http.Cookie {
	t := p.talk
	isPlaced := d.Reason == splitter.ReasonSplit || d.Reason == splitter.ReasonPin
	if isPlaced && p.unnamed {
		x.unnamed = x.nextKey(p)
	}
	if t == nil || !isPlaced || t.isUnsure() {
		return nil
	}
	pin := splitter.Pin{Variant: x.served.Name, Epoch: x.view.Epoch()}
	for _, known := range []splitter.Pin{t.pin, t.cookie.Pin} {
		if known.Variant == pin.Variant {
			pin = known // it began there, perhaps in an earlier epoch
			break
		}
	}
	isNew := t.moved && t.pin == (splitter.Pin{})
	x.note(talkNote{t.ids[0], pin, isNew})
	if next := x.nextKey(p); next != p.Key {
		x.note(talkNote{conversationID(h.app.pinKeys()[0], h.Name, next, t.name), pin, false})
		return nil
	}
	return h.newPinCookie(r, t, pin, time.Duration(h.holds.Hold), time.Now())
}

// nextKey returns the key of the client's next request: from then on a new visitor is who its new cookie says.
func (x *exchange) nextKey(p placement) string {
	if p.sticky != stickyNew || x.cookie == nil {
		return p.Key
	}
	user, _, _ := strings.Cut(x.cookie.Value, ".")
	return user
}

// note notes where a conversation goes on; if stable may yet answer in the variant's place, only once it cannot.
func (x *exchange) note(n talkNote) {
	if x.chance != nil {
		x.talks = append(x.talks, n)
		return
	}
	x.keepNote(n)
}

func (x *exchange) keepNote(n talkNote) {
	h := x.handler
	h.attached.Split().Conversations.Note(n.id, n.pin, time.Duration(h.holds.Hold), n.ifNone, time.Now())
}

// keepNotes notes what waited until it was sure that the variant's answer is the client's.
func (x *exchange) keepNotes() {
	if _, dropped := x.chance.dropped(); dropped {
		return
	}
	for _, n := range x.talks {
		x.keepNote(n)
	}
	x.talks = nil
}

// noteNamed notes a conversation to which the agent gives its ID in the header of its answer, as with MCP.
func (x *exchange) noteNamed() {
	if x.unnamed == "" || x.status >= http.StatusBadRequest {
		return
	}
	h := x.handler
	for _, name := range h.Conversation.headers {
		if values := x.Header()[name]; len(values) == 1 && values[0] != "" && len(values[0]) <= maxKey {
			id := conversationID(h.app.pinKeys()[0], h.Name, x.unnamed, values[0])
			x.note(talkNote{id, splitter.Pin{Variant: x.served.Name, Epoch: x.view.Epoch()}, true})
			return
		}
	}
}
