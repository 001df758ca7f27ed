package caddymodule

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/switchback-proxy/switchback/health"
	"github.com/switchback-proxy/switchback/rollout"
	"github.com/switchback-proxy/switchback/splitter"
)

// Conversation says how requests tell which conversation they belong to, and how it stays on the variant that it began on
// while weights move. A conversation is one of a user: without a key there is none.
type Conversation struct {
	// Sources says where to find the conversation's ID, in order: the first source with a usable value wins. A value is
	// usable if it is not empty, not repeated, and at most 256 bytes long. Default: auto alone.
	Sources []ConversationSource `json:"sources,omitempty"`

	// Hold is for how long after their user's bucket moved conversations stay where they were, and after how long of
	// silence one is forgotten. From 1s to 24h. Default: 30m.
	Hold caddy.Duration `json:"hold,omitempty"`

	// OnFailback says what becomes of a conversation whose variant is failed back. "move" (default): it goes on with
	// stable. "finish": it stays, as it does when weights are changed. A killed variant holds none.
	OnFailback string `json:"on_failback,omitempty"`

	sources []conversationSource // ready to be asked; set by prepare
	fields  [][]string           // of the JSON body that are sources
	headers []string             // that are sources; the agent may name a conversation in them
}

// The places where a conversation's ID can be found, besides headers, cookies, parameters and placeholders.
const (
	// ConversationJSON is a field of the request's JSON body.
	ConversationJSON KeyFrom = "json"
	// ConversationAuto is what agents and their clients usually have.
	ConversationAuto KeyFrom = "auto"
)

// ConversationSource is one place where a conversation's ID can be found.
type ConversationSource struct {
	// From is header, cookie, query, placeholder, json or auto. Required.
	//
	// "json" is a string or a number in the request's JSON body, of which at most the first 64 KiB are read ahead; a body
	// with a Content-Encoding, of gRPC or of an upgrade is not looked into. "auto" is the headers X-Session-Id,
	// X-Litellm-Session-Id, X-Bf-Session-Id, X-Olla-Session-Id, X-Amzn-Bedrock-Agentcore-Runtime-Session-Id and
	// Mcp-Session-Id, then the fields threadId, contextId, params.message.contextId, message.contextId, conversation and
	// conversation.id.
	From KeyFrom `json:"from"`

	// Name is the header's, cookie's, parameter's or placeholder's name, or the field's with dots between the keys that
	// lead to it: metadata.session. Required, except for auto, which has none.
	Name string `json:"name,omitempty"`
}

const (
	defaultHold = caddy.Duration(30 * time.Minute)
	minHold     = caddy.Duration(time.Second)
)

// autoSources is what "auto" stands for.
var autoSources = []ConversationSource{
	{KeyHeader, "X-Session-Id"},
	{KeyHeader, "X-Litellm-Session-Id"},
	{KeyHeader, "X-Bf-Session-Id"},
	{KeyHeader, "X-Olla-Session-Id"},
	{KeyHeader, "X-Amzn-Bedrock-Agentcore-Runtime-Session-Id"},
	{KeyHeader, "Mcp-Session-Id"},
	{ConversationJSON, "threadId"},                 // AG-UI
	{ConversationJSON, "contextId"},                // A2A
	{ConversationJSON, "params.message.contextId"}, // A2A over JSON-RPC
	{ConversationJSON, "message.contextId"},        // A2A over REST
	{ConversationJSON, "conversation"},             // OpenAI Responses
	{ConversationJSON, "conversation.id"},
}

// conversationSource is a source ready to be asked: a KeySource, or the field of that index.
type conversationSource struct {
	KeySource
	field int
}

// String is the source as a Caddyfile has it.
func (s ConversationSource) String() string {
	if s.From == ConversationAuto {
		return string(s.From)
	}
	return KeySource{From: s.From, Name: s.Name}.String()
}

// asked is the source as requests are asked, so that two that are written differently can be told to be one.
func (s ConversationSource) asked() KeySource {
	return KeySource{From: s.From, Name: s.Name}.direct()
}

// conversationRule is how a source of conversations is written in a Caddyfile.
const conversationRule = "must be: header NAME, cookie NAME, query NAME, a {placeholder}, json FIELD, or auto"

// parseConversationSource reads the arguments of the sub-directive conversation; none are auto.
func parseConversationSource(args []string) (ConversationSource, error) {
	switch {
	case len(args) == 0, len(args) == 1 && args[0] == string(ConversationAuto):
		return ConversationSource{From: ConversationAuto}, nil
	case len(args) == 1 && isPlaceholder(args[0]):
		return ConversationSource{KeyPlaceholder, args[0]}, nil
	case len(args) == 2 && (isNamed(KeyFrom(args[0]), 2) || args[0] == string(ConversationJSON)):
		return ConversationSource{KeyFrom(args[0]), args[1]}, nil
	}
	return ConversationSource{}, fmt.Errorf("conversation %q: it %s", strings.Join(args, " "), conversationRule)
}

func (c *Conversation) validate() error {
	if c == nil {
		return nil
	}
	for i, s := range c.Sources {
		if err := s.validate(); err != nil {
			return within(item("sources", i), err)
		}
		if slices.ContainsFunc(c.Sources[:i], func(o ConversationSource) bool { return o.asked() == s.asked() }) {
			return wrong(item("sources", i), "conversation %q is listed twice", s)
		}
	}
	switch {
	case c.Hold != 0 && (c.Hold < minHold || time.Duration(c.Hold) > splitter.MaxHold):
		return wrong("hold", "hold %v must be from %v to %v", time.Duration(c.Hold), time.Duration(minHold), splitter.MaxHold)
	case c.OnFailback != "" && c.OnFailback != rollout.OnFailbackMove && c.OnFailback != rollout.OnFailbackFinish:
		return wrong("on_failback", "on_failback %q: it must be move or finish", c.OnFailback)
	}
	return nil
}

func (s ConversationSource) validate() error {
	switch s.From {
	case ConversationAuto:
		if s.Name != "" {
			return wrong("name", "conversation auto has no name, and got %q", s.Name)
		}
		return nil
	case ConversationJSON:
		if slices.Contains(strings.Split(s.Name, "."), "") {
			return wrong("name", "conversation %q: %q is not the name of a field, such as threadId or metadata.session", s, s.Name)
		}
		return nil
	case KeyHeader, KeyCookie, KeyQuery, KeyPlaceholder:
		return KeySource{From: s.From, Name: s.Name}.validateAs("conversation")
	}
	return wrong("from", "conversation from %q: it must be header, cookie, query, placeholder, json or auto", s.From)
}

// validateConversation also checks that there is somebody who can have conversations.
func (h *Handler) validateConversation() error {
	if h.Conversation != nil && len(h.Keys) == 0 && h.Anonymous == anonymousStable {
		return wrong("conversation", "conversation needs users: add a key, or use anonymous cookie")
	}
	return within("conversation", h.Conversation.validate())
}

// policy returns how conversations are held, as the fleet knows it; nil without any.
func (c *Conversation) policy() *rollout.ConversationPolicy {
	if c == nil {
		return nil
	}
	p := &rollout.ConversationPolicy{Hold: health.Duration(defaultHold), OnFailback: rollout.OnFailbackMove}
	if c.Hold != 0 {
		p.Hold = health.Duration(c.Hold)
	}
	if c.OnFailback != "" {
		p.OnFailback = c.OnFailback
	}
	return p
}

// compile makes the sources ready to be asked.
func (c *Conversation) compile() {
	if c == nil {
		return
	}
	sources := c.Sources
	if len(sources) == 0 {
		sources = []ConversationSource{{From: ConversationAuto}}
	}
	for _, s := range sources {
		if s.From != ConversationAuto {
			c.add(s)
			continue
		}
		for _, usual := range autoSources {
			c.add(usual)
		}
	}
}

func (c *Conversation) add(s ConversationSource) {
	if s.From == ConversationJSON {
		c.sources = append(c.sources, conversationSource{KeySource{From: ConversationJSON}, len(c.fields)})
		c.fields = append(c.fields, strings.Split(s.Name, "."))
		return
	}
	source := s.asked()
	c.sources = append(c.sources, conversationSource{KeySource: source})
	if source.From == KeyHeader {
		c.headers = append(c.headers, source.Name)
	}
}

// idOf returns the ID of a request's conversation; empty if it belongs to none. The request's body may be read ahead, and
// is passed on as it was.
func (c *Conversation) idOf(r *http.Request) string {
	var fields []string
	looked := false
	for i := range c.sources {
		s := &c.sources[i]
		var id string
		if s.From == ConversationJSON {
			if !looked {
				fields, looked = readFields(r, c.fields), true
			}
			if fields != nil {
				id = fields[s.field]
			}
		} else {
			id = s.value(r)
		}
		if id != "" && len(id) <= maxKey {
			return id
		}
	}
	return ""
}
