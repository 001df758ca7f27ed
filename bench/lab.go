package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"
)

// lab is where one measurement runs: what it starts, so that all of it is ended.
type lab struct {
	dir     string // for all labs
	closers []func() error
}

func newLab(dir string) *lab { return &lab{dir: dir} }

// folder makes a folder for one process.
func (l *lab) folder(name string) (string, error) {
	dir, err := os.MkdirTemp(l.dir, name+"-")
	if err != nil {
		return "", fmt.Errorf("make a folder for %s: %w", name, err)
	}
	return dir, nil
}

// atEnd has something closed when the lab is, in reverse order.
func (l *lab) atEnd(f func() error) { l.closers = append(l.closers, f) }

// close ends all that was started, and forgets it; the lab may then be used again.
func (l *lab) close() error {
	var err error
	for _, f := range slices.Backward(l.closers) {
		err = errors.Join(err, f())
	}
	l.closers = nil
	return err
}

// pollPause is the time between two looks at something that is to happen.
const pollPause = 10 * time.Millisecond

// poll asks until the answer is yes, an error, or ctx is done, whose cause it then returns.
func poll(ctx context.Context, ask func() (bool, error)) error {
	for {
		if yes, err := ask(); yes || err != nil {
			return err
		}
		if err := wait(ctx, pollPause); err != nil {
			return err
		}
	}
}

// wait waits for d, or until ctx is done; then it returns why.
func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}

// accepts reports whether something listens at a TCP address.
func accepts(ctx context.Context, address string) bool {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err != nil {
		return false
	}
	conn.Close()
	return true
}

// freePort returns a loopback address that was free a moment ago.
func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("look for a free port: %w", err)
	}
	defer l.Close()
	return l.Addr().String(), nil
}

// tail returns the end of a file, for the message that says that its writer failed.
func tail(dir, name string) string {
	const most = 2000 // bytes
	text, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		return err.Error()
	}
	return string(text[max(len(text)-most, 0):])
}

// besideEach does something beside each proxy, which gets its number, until the lab is closed.
func (l *lab) besideEach(ctx context.Context, proxies []*proxy, do func(ctx context.Context, n int, p *proxy)) {
	ctx, stop := context.WithCancel(ctx)
	var all sync.WaitGroup
	l.atEnd(func() error {
		stop()
		all.Wait()
		return nil
	})
	for n, p := range proxies {
		all.Go(func() { do(ctx, n, p) })
	}
}
