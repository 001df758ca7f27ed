package caddymodule

import (
	"bufio"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/switchback-proxy/switchback/health"
)

// A stream in which nothing comes any more is ended, and is a failure.
func TestStall(t *testing.T) {
	a := startAgent(t)
	a.will(byPath)
	p := startProxy(t, a.site("stall 100ms"))
	p.counted(t, health.Failure, health.CauseStall, func() {
		resp, err := p.client.Get("http://agent.test/stream")
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body := bufio.NewReader(resp.Body)
		if line, err := body.ReadString('\n'); line != "data: first\n" {
			t.Fatalf("the stream begins with %q (%v)", line, err)
		}
		if rest, err := io.ReadAll(body); err == nil {
			t.Errorf("the stream ended as if it were whole, with %q", rest)
		}
	})
}

// A stall is a silence for at least the limit, and at most a quarter more; a write that waits for the client is none.
func TestStallWatch(t *testing.T) {
	const limit = 4 * time.Second
	for _, tt := range []struct {
		name  string
		write func(s *stallWatch)
		want  time.Duration // after the last write; 0: never
	}{
		{"nothing comes", func(*stallWatch) {}, limit},
		{"nothing comes any more", func(s *stallWatch) {
			for range 10 {
				time.Sleep(3500 * time.Millisecond)
				s.move()
				s.moved()
			}
		}, limit + limit/stallLooks},
		{"the client is slow", func(s *stallWatch) {
			s.move()
			time.Sleep(time.Hour)
			s.moved()
		}, limit + limit/stallLooks},
		{"the answer ends", func(s *stallWatch) {
			time.Sleep(limit - time.Millisecond)
			s.end()
		}, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var stalled time.Time
				s := newStallWatch(caddy.Duration(limit), func(error) { stalled = time.Now() })
				tt.write(s)
				last := time.Now()
				time.Sleep(time.Hour)
				synctest.Wait()
				if got := stalled.Sub(last); stalled.IsZero() != (tt.want == 0) || tt.want != 0 && (got < limit || got > tt.want) {
					t.Errorf("found %s after the last write (never: %t), want %s at most", got, stalled.IsZero(), tt.want)
				}
				s.end()
			})
		})
	}
	newStallWatch(0, nil).move() // without a limit nothing is watched
	newStallWatch(0, nil).end()
}
