package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// chatPath is where an agent streams a chat completion as OpenAI does: a token at once, and each further one when its
// reader has the one before, so that no proxy can pass on two in one piece.
const chatPath = "/v1/chat/completions"

// chatTokens is how many tokens a chat has.
const chatTokens = 100

// What a chat is made of, in the fields and the length that they have from OpenAI. Of a token, the field that pads it
// there tells here when it was sent, in Unix nanoseconds.
const (
	chunkBegin = `data: {"id":"chatcmpl-CgVh3mBvQ0ZrWkT7yPqLxN5dEaSfU","object":"chat.completion.chunk",` +
		`"created":1764271553,"model":"gpt-4o-2024-08-06","service_tier":"default","system_fingerprint":"fp_50cad350e4",`
	chatToken = chunkBegin + `"choices":[{"index":0,"delta":{"content":" token"},"logprobs":null,"finish_reason":null}],` +
		`"usage":null,` + sentField + `%d"}` + "\n\n"
	sentField = `"obfuscation":"`
	chatEnd   = chunkBegin + `"choices":[{"index":0,"delta":{},"logprobs":null,"finish_reason":"stop"}],"usage":null}` +
		"\n\ndata: [DONE]\n\n"

	chatQuestion = `{"model":"gpt-4o","stream":true,"messages":[{"role":"system","content":"You are a helpful assistant."},` +
		`{"role":"user","content":"Which tokens are the longest? Answer in a hundred tokens."}]}`
)

// chats are an agent's readers who are known by name.
type chats struct{ turns sync.Map }

// turn returns what to send to when the user wants another token.
func (c *chats) turn(user string) chan struct{} {
	turn, _ := c.turns.LoadOrStore(user, make(chan struct{}, 1))
	return turn.(chan struct{})
}

// chat answers a chat.
func (c *chats) chat(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
	flush := http.NewResponseController(w).Flush
	turn := c.turn(r.Header.Get("X-User-ID"))
	for i := range chatTokens {
		if i > 0 && !awaitTurn(r.Context(), turn) {
			return
		}
		if _, err := fmt.Fprintf(w, chatToken, time.Now().UnixNano()); err != nil {
			return
		}
		if err := flush(); err != nil {
			return
		}
	}
	if awaitTurn(r.Context(), turn) {
		_, _ = io.WriteString(w, chatEnd) // a reader who has left misses nothing
	}
}

// awaitTurn reports whether another token is wanted, rather than that the reader has left.
func awaitTurn(ctx context.Context, turn <-chan struct{}) bool {
	select {
	case <-turn:
		return true
	case <-ctx.Done():
		return false
	}
}

// chat asks an agent to chat, and reads it to its end. It tells arrived how old each token was that came.
func (v *visitor) chat(a *agent, arrived func(age time.Duration)) error {
	if _, err := v.conn.Write(v.request); err != nil {
		return fmt.Errorf("begin a chat: %w", err)
	}
	resp, err := http.ReadResponse(v.in, nil)
	if err != nil {
		return fmt.Errorf("begin a chat: %w", err)
	}
	defer resp.Body.Close()
	turn, tokens := a.turn(v.user), bufio.NewReader(resp.Body)
	for i := range chatTokens {
		sent, err := readToken(tokens)
		if err != nil {
			return fmt.Errorf("token %d of a chat: %w", i+1, err)
		}
		arrived(time.Since(sent))
		turn <- struct{}{}
	}
	rest, err := io.ReadAll(tokens)
	if err != nil || !bytes.HasSuffix(rest, []byte(chatEnd)) {
		return fmt.Errorf("a chat ends with %q: %w", rest, err)
	}
	return nil
}

// readToken reads an event that is a token, and returns when it was sent.
func readToken(r *bufio.Reader) (sent time.Time, err error) {
	line, err := r.ReadSlice('\n')
	if err != nil {
		return sent, err
	}
	_, field, _ := bytes.Cut(line, []byte(sentField))
	digits, _, _ := bytes.Cut(field, []byte{'"'})
	ns, err := strconv.ParseInt(string(digits), 10, 64)
	if err != nil {
		return sent, fmt.Errorf("%q does not say when it was sent: %w", line, err)
	}
	_, err = r.Discard(1) // the blank line that ends it
	return time.Unix(0, ns), err
}
