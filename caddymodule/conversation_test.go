package caddymodule

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseConversationSource(t *testing.T) {
	for _, tt := range []struct {
		in   string
		want ConversationSource
	}{
		{"", ConversationSource{From: ConversationAuto}},
		{"auto", ConversationSource{From: ConversationAuto}},
		{"header X-Thread", ConversationSource{KeyHeader, "X-Thread"}},
		{"cookie thread", ConversationSource{KeyCookie, "thread"}},
		{"query thread", ConversationSource{KeyQuery, "thread"}},
		{"json metadata.session", ConversationSource{ConversationJSON, "metadata.session"}},
		{"{http.request.uri.path.1}", ConversationSource{KeyPlaceholder, "{http.request.uri.path.1}"}},
	} {
		got, err := parseConversationSource(strings.Fields(tt.in))
		if err != nil {
			t.Errorf("%q: %v", tt.in, err)
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%q (-want +got):\n%s", tt.in, diff)
		}
	}
}

func TestConversationIsRefused(t *testing.T) {
	const variants = "key header X-User\nstable blue\nvariant blue 100% localhost:1\n"
	for _, tt := range []struct{ in, want string }{
		{"conversation client_ip", `conversation "client_ip": it must be: header NAME`},
		{"conversation header", `conversation "header": it must be`},
		{"conversation header X trusted", `conversation "header X trusted": it must be`},
		{"conversation header a:b", `conversation "header a:b": "a:b" is not the name of a header`},
		{"conversation header X_Y", `conversation "header X_Y": the server drops this header`},
		{"conversation json a..b", `"a..b" is not the name of a field`},
		{"conversation {env.HOME}", `conversation "{env.HOME}" is the same for every request`},
		{"conversation\nconversation auto", `conversation "auto" is listed twice`},
		{"conversation header mcp-session-id\nconversation header Mcp-Session-Id", `conversation "header Mcp-Session-Id" is listed twice`},
		{"conversation header X\nconversation {http.request.header.x}", `conversation "{http.request.header.x}" is listed twice`},
		{"key header x-user", `key "header x-user" is listed twice`},
		{"conversation auto {\nhold 25h\n}", "hold 25h0m0s must be from 1s to 24h0m0s"},
		{"conversation auto {\nhold 10ms\n}", "hold 10ms must be from 1s"},
		{"conversation auto {\nhold\n}", "hold needs a duration"},
		{"conversation auto {\non_failback stay\n}", `on_failback "stay": it must be move or finish`},
		{"conversation auto {\nkeep 5s\n}", `conversation has no sub-directive "keep"`},
		{"conversation auto {\nhold 5s\n}\nconversation query q {\nhold 6s\n}", "hold of conversation is given twice"},
	} {
		_, err := adapt(t, "http:// {\ntraffic_split s {\n"+variants+tt.in+"\n}\n}\n")
		if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), "Caddyfile:") {
			t.Errorf("%q: got %v, want %q, with file and line", tt.in, err, tt.want)
		}
	}
	_, err := adapt(t, "http:// {\ntraffic_split s {\nanonymous stable\nstable blue\nvariant blue 100% localhost:1\n"+
		"override blue {\nmatch /x\n}\nconversation\n}\n}\n")
	if err == nil || !strings.Contains(err.Error(), "conversation needs users") {
		t.Errorf("without users: got %v", err)
	}
}

func FuzzParseConversationSource(f *testing.F) {
	for _, in := range []string{"", "auto", "header X", "json a.b", "{http.vars.x}", "query q", "cookie c"} {
		f.Add(in)
	}
	f.Fuzz(func(t *testing.T, in string) {
		source, err := parseConversationSource(strings.Fields(in))
		if err != nil || source.validate() != nil {
			return
		}
		again, err := parseConversationSource(strings.Fields(source.String()))
		if err != nil || again != source {
			t.Errorf("%q: got %+v, and written and read again %+v, %v", in, source, again, err)
		}
	})
}
