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

func dial(t *testing.T, r *deafRelay) net.Conn {
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
