//go:build unix

package clients

import (
	"context"
	"net/http"
	"testing"

	"github.com/coder/websocket"
)

// websocketAgent plays an agent that sends words by WebSocket.
func websocketAgent(*testing.T, string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, err := websocket.Accept(w, r, nil)
		if err != nil {
			return // it has told the client so
		}
		defer conn.CloseNow()
		if conn.Write(r.Context(), websocket.MessageText, []byte(shortText)) != nil {
			return
		}
		switch scene(r.PathValue("scene")) {
		case sceneError:
			conn.Close(websocket.StatusInternalError, "no more")
		case sceneOK:
			_ = conn.Write(r.Context(), websocket.MessageText, []byte(wholeText[len(shortText):]))
			conn.Close(websocket.StatusNormalClosure, "")
		case sceneStalled:
			<-conn.CloseRead(r.Context()).Done()
		case sceneCut:
			cues.give(r.URL.Path)
			<-conn.CloseRead(r.Context()).Done()
		}
	})
}

// websocketClient is coder/websocket's.
type websocketClient struct{}

// talk listens until the socket is closed.
func (websocketClient) talk(t *testing.T, base string) heard {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), clientPatience)
	defer cancel()
	conn, _, err := websocket.Dial(ctx, base+"/", nil)
	if err != nil {
		return heardUntil(ctx, "", false, err)
	}
	defer conn.CloseNow()
	var text string
	for err == nil {
		var word []byte
		if _, word, err = conn.Read(ctx); err == nil {
			text += string(word)
		}
	}
	return heardUntil(ctx, text, websocket.CloseStatus(err) == websocket.StatusNormalClosure, err)
}
