package main

import (
	"errors"
	"fmt"
	"net"
	"strings"
)

// road is one proxy's way to the servers of a Sentinel setup: a relay before each, so that this proxy alone can be led
// astray. Sentinels name servers by address, so that the relays before them put their own relays' addresses in place of
// the servers'.
type road struct {
	relays    map[string]*relay // by the address of the server behind
	sentinels []string          // addresses of the relays before Sentinels
}

// newRoad starts the relays, which end with the lab.
func (l *lab) newRoad(servers, sentinels []string) (*road, error) {
	r := &road{relays: map[string]*relay{}}
	var ports []string // old, new, old, new …
	for _, address := range append(append([]string{}, servers...), sentinels...) {
		one, err := newRelay(address)
		if err != nil {
			return nil, err
		}
		l.atEnd(func() error { return ignoreClosed(one.listener.Close()) })
		r.relays[address] = one
		from, to := portOf(address), portOf(one.address())
		if len(from) != len(to) {
			return nil, fmt.Errorf("ports %s and %s: must be of one length, as messages say how long they are", from, to)
		}
		ports = append(ports, from, to)
	}
	// A Sentinel's answers are short enough to arrive in one piece.
	names := strings.NewReplacer(ports...)
	for _, address := range sentinels {
		one := r.relays[address]
		one.reword = func(p []byte) []byte { return []byte(names.Replace(string(p))) }
		r.sentinels = append(r.sentinels, one.address())
	}
	for _, one := range r.relays {
		one.run(l)
	}
	return r, nil
}

// deafen loses announcements from now on, or no more.
func (r *road) deafen(deaf bool) {
	for _, one := range r.relays {
		one.deaf.Store(deaf)
	}
}

// lost returns how many bytes did not come through.
func (r *road) lost() int64 {
	var n int64
	for _, one := range r.relays {
		n += one.lost.Load()
	}
	return n
}

// portOf returns an address's port as text.
func portOf(address string) string {
	_, text, err := net.SplitHostPort(address)
	if err != nil {
		return ""
	}
	return text
}

// ignoreClosed passes over that something was closed already.
func ignoreClosed(err error) error {
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}
