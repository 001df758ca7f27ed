package caddymodule

import (
	"bytes"
	"errors"
	"net/http"
	"testing"
	"time"
)

// dead is a client whose connection does not take what is written to it.
type dead struct {
	http.ResponseWriter
	written   bytes.Buffer
	deadline  time.Time
	unlimited bool // no deadline can be set
	takes     int  // of the last write, before it fails; all if negative
	flush     error
}

var errDead = errors.New("dead")

func (d *dead) SetWriteDeadline(at time.Time) error {
	if d.unlimited {
		return http.ErrNotSupported
	}
	d.deadline = at
	return nil
}

func (d *dead) Write(p []byte) (int, error) {
	if d.takes >= 0 && d.takes < len(p) {
		n, err := d.written.Write(p[:d.takes])
		return n, errors.Join(err, errDead)
	}
	return d.written.Write(p)
}

func (d *dead) FlushError() error { return d.flush }

// An answer ends as if it were whole only if all of the frame was taken, within a time.
func TestFarewellIsBounded(t *testing.T) {
	for _, tt := range []struct {
		name    string
		client  dead
		want    bool
		written string
	}{
		{"all goes well", dead{takes: -1}, true, "frame"},
		{"no deadline", dead{takes: -1, unlimited: true}, false, ""},
		{"half of it", dead{takes: 2}, false, "fr"},
		{"not flushed", dead{takes: -1, flush: errDead}, false, "frame"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			x := passing(nil)
			x.ResponseWriter = &tt.client
			if got := x.bid(parting{frame: []byte("frame")}); got != tt.want || tt.client.written.String() != tt.written {
				t.Errorf("got %t with %q written, want %t with %q", got, &tt.client.written, tt.want, tt.written)
			}
			if tt.client.deadline.IsZero() != tt.client.unlimited {
				t.Errorf("deadline %v", tt.client.deadline)
			}
			if got := x.bid(parting{}); got {
				t.Error("bid nothing: got true, want false")
			}
		})
	}
}
