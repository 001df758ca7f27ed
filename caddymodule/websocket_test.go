package caddymodule

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/coder/websocket"

	"github.com/switchback-proxy/switchback/health"
	"github.com/switchback-proxy/switchback/splitter"
)

// A client that closes in order makes a success, and one that is cut is told so, in the eyes of a WebSocket library.
func TestWebSocket(t *testing.T) {
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, err := websocket.Accept(w, r, nil)
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.CloseNow()
		for {
			kind, message, err := conn.Read(r.Context())
			if err != nil {
				return
			}
			if err := conn.Write(r.Context(), kind, message); err != nil {
				return
			}
		}
	}))
	defer upstream.Close()
	p := startProxy(t, "traffic_split s {\nstable blue\nvariant blue 100% "+strings.TrimPrefix(upstream.URL, "http://")+"\n}")
	open := func() *websocket.Conn {
		conn, resp, err := websocket.Dial(context.Background(), "ws://agent.test/ws", &websocket.DialOptions{HTTPClient: p.client})
		if err != nil {
			t.Fatalf("%v (%v)", err, resp)
		}
		return conn
	}
	echo := func(conn *websocket.Conn) {
		if err := conn.Write(context.Background(), websocket.MessageText, []byte("hello")); err != nil {
			t.Fatal(err)
		}
		if _, got, err := conn.Read(context.Background()); string(got) != "hello" {
			t.Fatalf("echo %q, %v", got, err)
		}
	}
	first := open()
	echo(first)
	if err := first.Close(websocket.StatusNormalClosure, ""); err != nil {
		t.Fatal(err)
	}
	want := health.Counts{}
	want[health.Success][health.CauseNone] = 1
	eventually(t, "the closed one is a success", func() bool { return p.counts("s") == want })

	second := open()
	defer second.CloseNow()
	echo(second)
	p.kill("s", "", splitter.KillCut)
	var told websocket.CloseError
	if _, _, err := second.Read(context.Background()); !errors.As(err, &told) {
		t.Errorf("after the cut the client reads %v, want a close frame", err)
	}
	if want := (websocket.CloseError{Code: websocket.StatusTryAgainLater, Reason: farewellKilled}); told != want {
		t.Errorf("after the cut the client reads %v, want %v", told, want)
	}
	want[health.Excluded][health.CauseKilled] = 1
	eventually(t, "the cut one is nobody's failure", func() bool { return p.counts("s") == want })
}
