package caddymodule

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"testing"
	"time"
)

// tokens is how many a stream of the benchmark has.
const tokens = 100

// BenchmarkStream sends streams of tokens through a real proxy: without us, without looking into answers, and with it.
// Each token is sent when the one before has arrived, so that an operation is all the work that the agent, the proxy
// and the client have with a token, and the delay is how long that took the median one.
func BenchmarkStream(b *testing.B) {
	a := startAgent(b)
	turn := make(chan struct{}, 1)
	a.will(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		flush := http.NewResponseController(w).Flush
		for i := range tokens {
			<-turn
			if _, err := fmt.Fprintf(w, chunk, i); err != nil {
				return
			}
			if err := flush(); err != nil {
				return
			}
		}
		if _, err := io.WriteString(w, end); err != nil {
			b.Error(err)
		}
	})
	for _, bb := range []struct{ name, site string }{
		{"plain", "reverse_proxy " + a.Listener.Addr().String()},
		{"off", a.site("classify off")},
		{"auto", a.site("")},
		{"auto and stall", a.site("stall 1m")},
	} {
		b.Run(bb.name, func(b *testing.B) {
			p := startProxy(b, bb.site)
			delays := make([]time.Duration, 0, b.N+tokens)
			p.readTokens(turn, 2*tokens, delays) // connections and pools fill
			b.ResetTimer()
			delays = p.readTokens(turn, b.N, delays)
			b.StopTimer()
			slices.Sort(delays)
			b.ReportMetric(float64(delays[len(delays)/2])/1e3, "p50-µs/token")
		})
	}
}

const (
	chunk = `data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,` +
		`"delta":{"content":"token%d "},"finish_reason":null}],"usage":null}` + "\n\n"
	end = `data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,` +
		`"delta":{},"finish_reason":"stop"}]}` + "\n\ndata: [DONE]\n\n"
)

// readTokens reads at least n tokens, in whole streams, and adds to delays how long each took.
func (p *proxy) readTokens(turn chan<- struct{}, n int, delays []time.Duration) []time.Duration {
	p.t.Helper()
	for ; n > 0; n -= tokens {
		turn <- struct{}{}
		sent := time.Now()
		resp, err := p.client.Post("http://agent.test/v1/chat/completions", "application/json", http.NoBody)
		if err != nil {
			p.t.Fatal(err)
		}
		lines := bufio.NewScanner(resp.Body)
		for i := range tokens {
			for range 2 { // the event, and the blank line that ends it
				if !lines.Scan() {
					p.t.Fatalf("the stream ends after %d tokens (%v)", i, lines.Err())
				}
			}
			if i > 0 {
				delays = append(delays, time.Since(sent))
			}
			if i < tokens-1 {
				sent = time.Now()
				turn <- struct{}{}
			}
		}
		if _, err := io.Copy(io.Discard, resp.Body); err != nil {
			p.t.Fatal(err)
		}
		if err := resp.Body.Close(); err != nil {
			p.t.Fatal(err)
		}
	}
	return delays
}

// BenchmarkScan is what the handler has with a token: passing it on, and looking into it.
func BenchmarkScan(b *testing.B) {
	for name, classify := range map[string]*Classify{"off": {Format: classifyOff}, "auto": nil} {
		b.Run(name, func(b *testing.B) {
			x := passing(classify)
			token := fmt.Appendf(nil, chunk, 7)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := x.Write(token); err != nil {
					b.Fatal(err)
				}
				x.scanPending()
			}
		})
	}
}

// passing is an exchange in the middle of a stream that costs nothing.
func passing(c *Classify) *exchange {
	x := &exchange{handler: &Handler{handlerState: handlerState{format: c.format()}}}
	x.request = &http.Request{Method: http.MethodPost, URL: new(url.URL), Header: http.Header{}}
	x.ResponseWriter = &silent{http.Header{"Content-Type": {"text/event-stream"}}}
	x.WriteHeader(http.StatusOK)
	return x
}
