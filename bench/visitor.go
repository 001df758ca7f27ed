package main

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"time"
)

// visitor is one keep-alive connection to a proxy. It is as cheap as can be: what the client spends of a small machine,
// the proxy lacks. Its methods must not be called concurrently.
type visitor struct {
	conn    net.Conn
	in      *bufio.Reader
	first   string // the user that it came as
	user    string // the one that it is now
	asked   int    // how often it asked as another one
	request []byte
	ended   time.Time // when awaitEnd saw the end
}

// visitorBuffer is the size of a visitor's buffer in bytes; an answer's headers need not fit.
const visitorBuffer = 1 << 10

// visit connects to a proxy as a user.
func visit(ctx context.Context, address, path, user string) (*visitor, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("visit the proxy: %w", err)
	}
	return &visitor{conn: conn, in: bufio.NewReaderSize(conn, visitorBuffer), first: user, user: user,
		request: requestFor(address, path, user)}, nil
}

// become makes the visitor another user, on the same connection.
func (v *visitor) become(user string) {
	const name = "X-User-ID: "
	v.request = bytes.Replace(v.request, []byte(name+v.user+"\r"), []byte(name+user+"\r"), 1)
	v.user = user
}

// requestFor returns what a user sends: a question where an agent chats, and elsewhere nothing but headers.
func requestFor(address, path, user string) []byte {
	method, question := http.MethodGet, ""
	if path == chatPath {
		method, question = http.MethodPost, fmt.Sprintf("Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
			len(chatQuestion), chatQuestion)
	}
	return fmt.Appendf(nil, "%s %s HTTP/1.1\r\nHost: %s\r\nX-User-ID: %s\r\n%s", method, path, address, user, cmp.Or(question, "\r\n"))
}

// answer is what matters of an answer.
type answer struct {
	status int
	header http.Header
}

// ask sends the request and reads the whole answer.
func (v *visitor) ask() (answer, error) {
	if _, err := v.conn.Write(v.request); err != nil {
		return answer{}, fmt.Errorf("ask the proxy: %w", err)
	}
	resp, err := http.ReadResponse(v.in, nil)
	if err != nil {
		return answer{}, fmt.Errorf("read the proxy's answer: %w", err)
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return answer{}, fmt.Errorf("read the proxy's answer: %w", err)
	}
	return answer{resp.StatusCode, resp.Header}, nil
}

// open sends the request for a stream, and returns when its first event has come. The connection is good for nothing
// else afterwards.
func (v *visitor) open() error {
	if _, err := v.conn.Write(v.request); err != nil {
		return fmt.Errorf("open a stream: %w", err)
	}
	status, err := v.in.ReadString('\n')
	if err != nil || !strings.HasPrefix(status, "HTTP/1.1 200 ") {
		return fmt.Errorf("open a stream: want status 200, got %q: %w", status, err)
	}
	for line := ""; !strings.HasPrefix(line, eventBegin); {
		if line, err = v.in.ReadString('\n'); err != nil {
			return fmt.Errorf("open a stream: %w", err)
		}
	}
	return nil
}

// lastChunk ends a chunked answer that is whole.
const lastChunk = "0\r\n\r\n"

// awaitEnd reads a stream until it ends. That it ends as if it were whole is an error.
func (v *visitor) awaitEnd() error {
	rest, err := io.ReadAll(v.in)
	v.ended = time.Now()
	if bytes.HasSuffix(rest, []byte(lastChunk)) {
		return errors.New("the stream ended as if it were whole: want one that breaks off")
	}
	if errors.Is(err, syscall.ECONNRESET) {
		return nil
	}
	return err
}

// close hangs up; whoever reads an answer gets an error.
func (v *visitor) close() error { return v.conn.Close() }

// crowd is a number of visitors of one proxy.
type crowd []*visitor

// gather connects n visitors, each a user of its own, who leave with the lab.
func (l *lab) gather(ctx context.Context, n int, address, path string) (crowd, error) {
	c := make(crowd, 0, n)
	for i := range n {
		v, err := visit(ctx, address, path, fmt.Sprintf("user-%d", i))
		if err != nil {
			return nil, err
		}
		l.atEnd(v.close)
		c = append(c, v)
	}
	return c, nil
}

// each has every visitor do something, all at once, and returns the first error.
func (c crowd) each(do func(*visitor) error) error {
	var all sync.WaitGroup
	errs := make([]error, len(c))
	for i, v := range c {
		all.Go(func() { errs[i] = do(v) })
	}
	all.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
