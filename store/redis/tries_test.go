package redis

import (
	"errors"
	"io"
	"net"
	"testing"
)

// What a try that was sent came to is known from an answer of the server itself, and of one that was not sent always.
func TestTriesEnded(t *testing.T) {
	refused := &net.OpError{Op: "dial", Err: errors.New("connection refused")}
	for _, tt := range []struct {
		name string
		sent bool
		err  error
		want error
	}{
		{"answered", true, nil, nil},
		{"refused", true, replyError("OOM command not allowed"), nil},
		{"redirected", true, replyError("MOVED 1 127.0.0.1:7000"), nil},
		{"script not known", true, replyError("NOSCRIPT No matching script."), nil},
		{"starting", true, replyError("LOADING Redis is loading the dataset in memory"), nil},
		{"lost in between", true, replyError("upstream failure"), replyError("upstream failure")},
		{"broken off", true, io.EOF, io.EOF},
		{"not sent", false, refused, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, tries := follow(t.Context(), []byte("document"))
			if tt.sent {
				if doc, err := tries.MarshalBinary(); err != nil || string(doc) != "document" {
					t.Fatalf("MarshalBinary: got %q, %v, want the document", doc, err)
				}
			}
			tries.ended(tt.err)
			tries.ended(refused) // the next one, which was not sent, says nothing of it
			if got := tries.lost(); !errors.Is(got, tt.want) {
				t.Errorf("lost: got %v, want %v", got, tt.want)
			}
		})
	}
}
