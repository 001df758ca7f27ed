//go:build unix

package e2e

import (
	"context"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// await waits until something holds.
func await(t testing.TB, what string, holds func() bool) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for !holds() {
		if time.Now().After(deadline) {
			t.Fatalf("not within %s: %s", patience, what)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// folders counts those that were made.
var folders atomic.Int64

// shortDir is a temporary folder whose path leaves room for a socket's name, of which systems allow about 100 bytes:
// the test's own name could fill them.
func shortDir(t testing.TB) string {
	t.Helper()
	dir := filepath.Join(root, strconv.FormatInt(folders.Add(1), 10))
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Errorf("removing the folder: %v", err)
		}
	})
	return dir
}

// lastLines returns the end of a log, without what Caddy says of itself at every start.
func lastLines(text string, n int) string {
	lines := slices.DeleteFunc(strings.Split(strings.TrimSpace(text), "\n"), func(line string) bool {
		return strings.Contains(line, `"logger":"admin`) ||
			strings.Contains(line, `"level":"info"`) && !strings.Contains(line, `"logger":"switchback`)
	})
	return strings.Join(lines[max(len(lines)-n, 0):], "\n")
}

// unixClient is a client that finds every host at a unix socket.
func unixClient(t testing.TB, socket string) *http.Client {
	transport := &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", socket)
		},
		MaxIdleConnsPerHost: 16,
	}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse
	}}
}

// freePort returns a loopback port that was free a moment ago, for what cannot be tried on a unix socket.
func freePort(t testing.TB) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}
