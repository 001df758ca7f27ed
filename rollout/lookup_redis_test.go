//go:build unix

package rollout_test

import (
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/switchback-proxy/switchback/rollout"
	"github.com/switchback-proxy/switchback/store/redis"
	"github.com/switchback-proxy/switchback/store/storetest"
)

// far is a path to a server that is as far away as it is told, and counts connections.
type far struct {
	listener net.Listener
	delay    atomic.Int64 // of what is sent to the server, in nanoseconds
	opened   atomic.Int64
	copying  sync.WaitGroup
}

// newFar opens a path, which ends with the test, after all that use it.
func newFar(t *testing.T, target string) *far {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := &far{listener: listener}
	f.copying.Go(func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			f.opened.Add(1)
			f.copying.Go(func() { f.pass(client, target) })
		}
	})
	t.Cleanup(func() { _ = listener.Close(); f.copying.Wait() })
	return f
}

// pass carries one connection, until either side closes it.
func (f *far) pass(client net.Conn, target string) {
	defer func() { _ = client.Close() }()
	server, err := net.Dial("tcp", target)
	if err != nil {
		return
	}
	f.copying.Go(func() {
		_, _ = io.Copy(client, server)
		_ = client.Close()
	})
	defer func() { _ = server.Close() }()
	for buf := make([]byte, 64<<10); ; {
		n, err := client.Read(buf)
		<-time.After(time.Duration(f.delay.Load()))
		if _, errOut := server.Write(buf[:n]); err != nil || errOut != nil {
			return
		}
	}
}

// A Redis whose answers come too late keeps its connections, and is asked over them as soon as it is near enough.
func TestLateLookUpsBreakNoConnection(t *testing.T) {
	server := storetest.StartRedis(t)
	way := newFar(t, server.Addr())
	p := start(t, nil, "proxy-1", talking(assistant(99, 1)), inRedis(redis.Config{URL: "redis://" + way.listener.Addr().String()}))
	eventually(t, "a State", func() bool { return p.green() >= 0 })
	look := func() rollout.LookUp {
		_, got := p.LookUp(t.Context(), p.at.Split(), []rollout.ConversationID{conversation(1)})
		return got
	}
	way.delay.Store(int64(20 * time.Millisecond))
	before := way.opened.Load()
	late := 0
	for range 100 {
		switch look() {
		case rollout.LookUpLate:
			late++
		case rollout.LookUpFailed:
			t.Error("a look-up that is late counts as failed")
		}
	}
	if opened := way.opened.Load() - before; late == 0 || opened > 40 {
		t.Errorf("%d of 100 look-ups were late, over %d new connections, want some, over those of the pool", late, opened)
	}
	way.delay.Store(0)
	eventually(t, "a look-up in time", func() bool { return look() == rollout.LookUpNone })
}
