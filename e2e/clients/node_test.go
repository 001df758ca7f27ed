//go:build unix

package clients

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os/exec"
	"testing"
	"time"
)

// clientPatience is how long an answer may take before it counts as silence. driver.mjs has the same.
const clientPatience = 10 * time.Second

// What a client told its caller; driver.mjs says what each means.
const (
	sawSuccess  = "success"
	sawError    = "error"
	sawPaused   = "paused"
	sawHandedOn = "handed on"
	sawSilence  = "silence"
)

// heard is what a client told its caller, as driver.mjs has it.
type heard struct {
	Saw    string
	Text   string
	Detail string
}

// A client talks to an agent and tells what it heard.
type client interface {
	talk(t *testing.T, base string) heard
}

// nodeClient is a program beside this file that drives a published client.
type nodeClient struct {
	in  io.WriteCloser
	out *bufio.Reader
	err *bytes.Buffer // complete once the program has ended
}

// startNode starts a program. It ends with its standard input, so that it cannot outlive the tests.
func startNode(t *testing.T, program string, args ...string) client {
	t.Helper()
	cmd := exec.Command("node", append([]string{program}, args...)...)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	c := &nodeClient{in: in, out: bufio.NewReader(out), err: new(bytes.Buffer)}
	cmd.Stderr = c.err
	if err := cmd.Start(); err != nil {
		t.Fatalf("start %s: %v", program, err)
	}
	t.Cleanup(func() {
		in.Close()
		if err := cmd.Wait(); err != nil {
			t.Errorf("%s: %v\n%s", program, err, c.err)
		}
	})
	return c
}

// talk has the program talk to the agent at base.
func (c *nodeClient) talk(t *testing.T, base string) heard {
	t.Helper()
	if _, err := fmt.Fprintln(c.in, base); err != nil {
		t.Fatalf("ask the client program: %v", err)
	}
	line, err := c.out.ReadBytes('\n')
	if err != nil {
		t.Fatalf("read the client program's answer: %v", err)
	}
	var h heard
	if err := json.Unmarshal(line, &h); err != nil {
		t.Fatalf("the client program said %q: %v", line, err)
	}
	return h
}
