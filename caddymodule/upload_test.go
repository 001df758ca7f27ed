package caddymodule

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/switchback-proxy/switchback/health"
)

// A client that does not send its whole request is nobody's failure: else anybody could fail a canary back by sending
// half a body, or one that is none.
func TestClientSpoilsUpload(t *testing.T) {
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.Copy(w, r.Body); err != nil {
			panic(http.ErrAbortHandler)
		}
	}))
	defer upstream.Close()
	for _, tt := range []struct {
		body string
		want health.Cause
	}{
		{"Content-Length: 100000\r\n\r\nhalf of it", health.CauseLeft},
		{"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", health.CauseLeft},
		{"Transfer-Encoding: chunked\r\n\r\nthis is no chunk\r\n", health.CauseClientError},
	} {
		p := startProxy(t, "traffic_split s {\nstable blue\nvariant blue 100% "+strings.TrimPrefix(upstream.URL, "http://")+"\n}")
		p.sendRaw("POST /upload HTTP/1.1\r\nHost: agent.test\r\n" + tt.body)
		eventually(t, "the upload is counted", func() bool { return p.counts("s") != health.Counts{} })
		want := health.Counts{}
		want[health.Excluded][tt.want] = 1
		if got := p.counts("s"); got != want {
			t.Errorf("%q: counted %v, want %v", tt.body, show(got), show(want))
		}
	}
}

// An upstream that breaks off while the client still sends has failed, whatever reading the rest comes to.
func TestUpstreamLeavesInUpload(t *testing.T) {
	upstream := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		panic(http.ErrAbortHandler)
	}))
	defer upstream.Close()
	p := startProxy(t, "traffic_split s {\nstable blue\nvariant blue 100% "+strings.TrimPrefix(upstream.URL, "http://")+"\n}")
	r, err := http.NewRequest(http.MethodPost, "http://agent.test/upload", io.LimitReader(zeros{}, 64<<20))
	if err != nil {
		t.Fatal(err)
	}
	if resp, err := p.client.Do(r); err == nil {
		defer resp.Body.Close()
		if resp.StatusCode != http.StatusBadGateway {
			t.Errorf("the client sees %s", resp.Status)
		}
	}
	want := health.Counts{}
	want[health.Failure][health.CauseReset] = 1
	eventually(t, "the upload is counted", func() bool { return p.counts("s") != health.Counts{} })
	if got := p.counts("s"); got != want {
		t.Errorf("counted %v, want %v", show(got), show(want))
	}
}

// Watching the body must not make the server ask for one that the variant does not want.
func TestUnwantedUploadIsNotAskedFor(t *testing.T) {
	p := startProxy(t, "traffic_split s {\nstable blue\nvariant blue 100% {\nhandle {\nrespond unwanted 403\n}\n}\n}")
	got := p.sendRaw("POST / HTTP/1.1\r\nHost: agent.test\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n")
	if !strings.HasPrefix(got, "HTTP/1.1 403") {
		t.Errorf("the answer begins with %.40q, want a 403", got)
	}
}

// zeros is a body without an end.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// sendRaw sends bytes, ends its side of the connection and returns all that comes back.
func (p *proxy) sendRaw(request string) string {
	p.t.Helper()
	return p.sendBytes(request, (*net.UnixConn).CloseWrite)
}

// sendBytes sends bytes, does something with the connection and returns all that comes back until the other side ends it.
func (p *proxy) sendBytes(request string, then func(*net.UnixConn) error) string {
	p.t.Helper()
	conn, err := net.Dial("unix", p.socket())
	if err != nil {
		p.t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, request); err != nil {
		p.t.Fatal(err)
	}
	if err := then(conn.(*net.UnixConn)); err != nil {
		p.t.Fatal(err)
	}
	answer, err := io.ReadAll(conn)
	if err != nil {
		p.t.Logf("the answer ends with: %v", err)
	}
	return string(answer)
}
