//go:build unix

package rollout_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

// ail is what is wrong with a wire. The zero value is nothing.
type ail int

const (
	sound    ail = iota
	severed      // its connections are cut, and new ones as soon as they are made
	torn         // a reply is cut off in the middle, and the connection with it
	unheard      // a command is delivered, its answer swallowed, and the connection cut
	slowed       // an answer takes its time
	stuck        // a command is held up, and delivered long after whoever sent it may have given up
	overfull     // what could write is refused: out of memory
	replica      // what could write is refused: a read-only replica
	stranger     // everything is refused: no password was given
	deaf         // announcements do not arrive
)

// String names an ail as a schedule's log does.
func (a ail) String() string {
	return [...]string{"sound", "severed", "torn", "unheard", "slowed", "stuck", "overfull", "replica", "stranger", "deaf"}[a]
}

const (
	// slowness is how long a slowed answer takes.
	slowness = 5 * time.Millisecond
	// stuckFor is how long a command is held up.
	stuckFor = 40 * time.Millisecond
)

// refusal is what an ailing wire answers itself; nil if it passes the command on.
func (a ail) refusal(command []byte) []byte {
	switch {
	case a == stranger:
		return []byte("-NOAUTH Authentication required.\r\n")
	case a == overfull && mayWrite(command):
		return []byte("-OOM command not allowed when used memory > 'maxmemory'.\r\n")
	case a == replica && mayWrite(command):
		return []byte("-READONLY You can't write against a read only replica.\r\n")
	default:
		return nil
	}
}

// illness is an ail and whom it strikes.
type illness struct {
	ail ail
	// strikes is after how many commands it is over; 0: it lasts until it is healed.
	strikes int
	// choosy spares all commands but those that have a State to write.
	choosy bool
}

// String describes an illness as a schedule's log does.
func (i illness) String() string {
	text := i.ail.String()
	if i.strikes > 0 {
		text += fmt.Sprintf(" x%d", i.strikes)
	}
	if i.choosy {
		text += " (changes only)"
	}
	return text
}

// wire is one instance's way to a Redis. It knows enough of what is said over it to fail between any two words.
type wire struct {
	listener net.Listener
	serving  sync.WaitGroup

	mu      sync.Mutex // protects the following fields
	target  string     // host:port of the server
	illness illness
	changed chan struct{}         // closed and replaced when the illness changes
	conns   map[net.Conn]struct{} // both ends of every connection
	struck  map[ail]int           // how many commands each ail struck
}

// newWire returns a sound wire to a server. The caller closes it.
func newWire(target string) (*wire, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	w := &wire{listener: listener, target: target, changed: make(chan struct{}), conns: map[net.Conn]struct{}{},
		struck: map[ail]int{}}
	w.serving.Go(w.accept)
	return w, nil
}

// addr returns the host:port of the near end.
func (w *wire) addr() string { return w.listener.Addr().String() }

// falls makes the wire ill, or sound.
func (w *wire) falls(ill illness) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.illness = ill
	close(w.changed)
	w.changed = make(chan struct{})
	if ill.ail == severed {
		w.cut()
	}
}

// leadTo puts another server at the far end, as a failover does: what was connected to the one before is cut.
func (w *wire) leadTo(target string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.target = target
	w.cut()
}

// cut closes all connections. Caller must hold w.mu.
func (w *wire) cut() {
	for conn := range w.conns {
		_ = conn.Close() // whoever uses it learns of it by reading
	}
	clear(w.conns)
}

// close ends everything and waits for it.
func (w *wire) close() {
	_ = w.listener.Close()
	w.falls(illness{ail: severed})
	w.serving.Wait()
}

// accept serves connections until the listener is closed.
func (w *wire) accept() {
	for {
		near, err := w.listener.Accept()
		if err != nil {
			return
		}
		w.serving.Go(func() { w.serve(near) })
	}
}

// serve carries commands and answers over one connection, in turn, and from a subscription on whatever comes.
func (w *wire) serve(near net.Conn) {
	defer w.drop(near)
	far, err := w.dial(near)
	if err != nil {
		return
	}
	defer w.drop(far)
	commands, answers := bufio.NewReader(near), bufio.NewReader(far)
	for {
		command, err := readValue(commands)
		if err != nil {
			return
		}
		if firstWord(command) == "subscribe" && w.ails().refusal(command) == nil {
			w.push(near, far, commands, answers, command)
			return
		}
		if !w.carry(near, far, answers, command) {
			return
		}
	}
}

// dial reaches the server, unless the wire is severed.
func (w *wire) dial(near net.Conn) (net.Conn, error) {
	w.mu.Lock()
	target, isSevered := w.target, w.illness.ail == severed
	w.mu.Unlock()
	if isSevered {
		return nil, net.ErrClosed
	}
	far, err := net.Dial("tcp", target)
	if err != nil {
		return nil, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.illness.ail == severed || w.target != target { // meanwhile
		_ = far.Close()
		return nil, net.ErrClosed
	}
	w.conns[near], w.conns[far] = struct{}{}, struct{}{}
	return far, nil
}

// drop closes one end of a connection.
func (w *wire) drop(conn net.Conn) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.conns, conn)
	_ = conn.Close() // it may have been cut
}

// carry takes one command there and its answer back. It returns false when the connection is over.
func (w *wire) carry(near, far net.Conn, answers *bufio.Reader, command []byte) bool {
	a := w.strike(command)
	if refusal := a.refusal(command); refusal != nil {
		_, err := near.Write(refusal)
		return err == nil
	}
	if a == stuck {
		w.pause(stuckFor)
	}
	if _, err := far.Write(command); err != nil {
		return false
	}
	answer, err := readValue(answers)
	switch {
	case err != nil || a == unheard:
		return false
	case a == torn:
		answer = answer[:len(answer)/2]
	case a == slowed:
		w.pause(slowness)
	}
	_, err = near.Write(answer)
	return err == nil && a != torn
}

// push passes on what a subscription brings, and what is said to it, until either side ends.
func (w *wire) push(near, far net.Conn, commands, answers *bufio.Reader, subscribe []byte) {
	if _, err := far.Write(subscribe); err != nil {
		return
	}
	w.serving.Go(func() {
		_, _ = io.Copy(far, commands) // until near is closed
		_ = far.Close()
	})
	for {
		pushed, err := readValue(answers)
		if err != nil {
			return
		}
		if w.ails() == deaf && firstWord(pushed) == "message" {
			continue
		}
		if _, err := near.Write(pushed); err != nil {
			return
		}
	}
}

// ails returns what is wrong now.
func (w *wire) ails() ail {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.illness.ail
}

// strike returns what happens to a command, and counts it.
func (w *wire) strike(command []byte) ail {
	w.mu.Lock()
	defer w.mu.Unlock()
	i := &w.illness
	if i.ail == sound || i.choosy && !carriesState(command) {
		return sound
	}
	a := i.ail
	w.struck[a]++
	if i.strikes > 0 {
		if i.strikes--; i.strikes == 0 {
			i.ail = sound
		}
	}
	return a
}

// pause waits, or until something else is wrong with the wire.
func (w *wire) pause(d time.Duration) {
	w.mu.Lock()
	changed := w.changed
	w.mu.Unlock()
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-changed:
	}
}
