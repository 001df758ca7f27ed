package main

import (
	"bufio"
	"io"
	"net"
	"testing"
)

// TestDeafRelay speaks to a server that sends back each line that it gets: a connection is whole until it subscribes.
func TestDeafRelay(t *testing.T) {
	server, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	heard := make(chan string, 10)
	go func() {
		for {
			conn, err := server.Accept()
			if err != nil {
				return
			}
			go func() {
				lines := bufio.NewScanner(conn)
				for lines.Scan() {
					heard <- lines.Text()
					if _, err := io.WriteString(conn, lines.Text()+"\n"); err != nil {
						return
					}
				}
			}()
		}
	}()
	defer server.Close()
	l := newLab(t.TempDir())
	relay, err := l.startDeafRelay(server.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	whole, deaf := dial(t, relay), dial(t, relay)
	say(t, whole, "$4\r\nping\r\n")
	if got := hear(t, whole); got != "$4\n" {
		t.Errorf("a whole connection heard %q, want %q", got, "$4\n")
	}
	say(t, deaf, "*2\r\n$9\r\nSUBSCRIBE\r\n")
	for _, want := range []string{"$4", "ping", "*2", "$9", "SUBSCRIBE"} {
		if got := <-heard; got != want {
			t.Errorf("the server heard %q, want %q", got, want)
		}
	}
	if err := l.close(); err != nil {
		t.Fatal(err)
	}
	if rest, err := io.ReadAll(deaf); len(rest) > 0 {
		t.Errorf("a connection that subscribed heard %q (%v), want nothing", rest, err)
	}
}

// TestRelayCountsRoundTrips speaks to a server that answers one of two lines: what is asked before it answers is one round
// trip, in however many pieces it comes.
func TestRelayCountsRoundTrips(t *testing.T) {
	server, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	heard := make(chan string, 10)
	go func() {
		conn, err := server.Accept()
		if err != nil {
			return
		}
		for lines := bufio.NewScanner(conn); lines.Scan(); {
			heard <- lines.Text()
			if lines.Text() != "exec" {
				continue
			}
			if _, err := io.WriteString(conn, "done\n"); err != nil {
				return
			}
		}
	}()
	l := newLab(t.TempDir())
	relay, err := l.startRelay(server.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	conn := dial(t, relay)
	for trips := range int64(2) {
		say(t, conn, "put\n")
		<-heard
		say(t, conn, "exec\n")
		<-heard
		if hear(t, conn); relay.asked.Load() != trips+1 {
			t.Errorf("after %d answers: %d round trips, want as many", trips+1, relay.asked.Load())
		}
	}
	if err := l.close(); err != nil {
		t.Fatal(err)
	}
}

func dial(t *testing.T, r *relay) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", r.address())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

func say(t *testing.T, conn net.Conn, text string) {
	t.Helper()
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
}

func hear(t *testing.T, conn net.Conn) string {
	t.Helper()
	line, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return line
}

// TestRelayTurned leads clients from one server to another: those that are connected are hung up on.
func TestRelayTurned(t *testing.T) {
	l := newLab(t.TempDir())
	relay, err := l.startRelay(greeter(t, "first"))
	if err != nil {
		t.Fatal(err)
	}
	before := dial(t, relay)
	if got := hear(t, before); got != "first\n" {
		t.Errorf("before: got %q, want %q", got, "first\n")
	}
	if err := relay.turn(greeter(t, "second")); err != nil {
		t.Fatal(err)
	}
	if n, err := before.Read(make([]byte, 1)); err == nil {
		t.Errorf("the old connection gave %d bytes, want it closed", n)
	}
	if got := hear(t, dial(t, relay)); got != "second\n" {
		t.Errorf("after: got %q, want %q", got, "second\n")
	}
	if err := l.close(); err != nil {
		t.Fatal(err)
	}
}

// TestRoad reads of a server's address through a road, on which the relay's own stands for it.
func TestRoad(t *testing.T) {
	l := newLab(t.TempDir())
	target := greeter(t, "hello")
	r, err := l.newRoad([]string{target}, []string{greeter(t, "the master is "+target)})
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("tcp", r.sentinels[0])
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if got, want := hear(t, conn), "the master is "+r.relays[target].address()+"\n"; got != want {
		t.Errorf("a Sentinel's answer: got %q, want %q", got, want)
	}
	if err := l.close(); err != nil {
		t.Fatal(err)
	}
}

// greeter is a server that says one line to each client; it returns its address.
func greeter(t *testing.T, line string) string {
	t.Helper()
	server, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	go func() {
		for {
			conn, err := server.Accept()
			if err != nil {
				return
			}
			if _, err := io.WriteString(conn, line+"\n"); err != nil {
				return
			}
		}
	}()
	return server.Addr().String()
}
