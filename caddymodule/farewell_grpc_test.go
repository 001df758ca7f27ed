package caddymodule

import (
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/switchback-proxy/switchback/splitter"
)

// overHTTP2 returns a client of the proxy that speaks HTTP/2 without TLS.
func (p *proxy) overHTTP2(t *testing.T) *http.Client {
	t.Helper()
	transport := &http.Transport{
		Protocols: new(http.Protocols),
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", p.socket())
		},
	}
	transport.Protocols.SetUnencryptedHTTP2(true)
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

// A call that is broken off, by whomever and wherever, ends with a status that its client can read, whether the agent
// announced its own or not; and is counted as what it is.
func TestFarewellGRPC(t *testing.T) {
	const message = "\x00\x00\x00\x00\x05hello"
	a := startAgent(t)
	up := "h2c://" + a.Listener.Addr().String()
	for _, end := range ends {
		options := ""
		if end.name == "stalled" {
			options = "stall 150ms\n"
		}
		p := startProxyWith(t, "servers {\nprotocols h1 h2c\n}", "traffic_split s {\nvariant only 100% "+up+"\n"+options+"}")
		client := p.overHTTP2(t)
		for _, tt := range []struct{ name, sent, trailer string }{
			{"between messages", message, ""},
			{"its status was announced", message, "Grpc-Status, Grpc-Message"},
			{"inside a message", message[:7], ""},
			{"before the first", "", "Grpc-Status"},
		} {
			t.Run(end.name+" "+tt.name, func(t *testing.T) {
				header := []string{"Content-Type", "application/grpc"}
				if tt.trailer != "" {
					header = append(header, "Trailer", tt.trailer)
				}
				a.will(untilFlushed(tt.sent, end.name == "reset", header...))
				p.counted(t, end.class, end.cause, func() {
					resp, err := client.Post("http://agent.test/pkg.Service/Call", "application/grpc", strings.NewReader(message))
					if err != nil {
						t.Fatal(err)
					}
					defer resp.Body.Close()
					reads(t, resp.Body, tt.sent)
					if end.name == "killed" {
						p.kill("s", "", splitter.KillCut)
						defer p.revive(t)
					}
					if rest, err := io.ReadAll(resp.Body); len(rest) > 0 || err != nil {
						t.Errorf("client reads %q, %v at the end; want a clean one", rest, err)
					}
					if got := resp.Trailer["Grpc-Status"]; len(got) != 1 || got[0] != grpcUnavailable {
						t.Errorf("status %q, want %q alone", got, grpcUnavailable)
					}
					if got := resp.Trailer.Get("Grpc-Message"); got != end.reason {
						t.Errorf("message %q, want %q", got, end.reason)
					}
				})
			})
		}
	}
}

// untilFlushed answers like until, and with a header at once even if nothing follows.
func untilFlushed(body string, torn bool, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		if err := http.NewResponseController(w).Flush(); err != nil {
			return
		}
		until(body, torn)(w, r)
	}
}
