//go:build unix

package rollout_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// What clients and Redis say to each other (RESP2), as far as a wire must understand it: where each value ends, and what
// its first word is.

// readValue reads one whole value, a command or a reply, and returns it as it came.
func readValue(r *bufio.Reader) ([]byte, error) { return appendValue(nil, r) }

// appendValue appends one whole value to raw.
func appendValue(raw []byte, r *bufio.Reader) ([]byte, error) {
	line, err := r.ReadBytes('\n')
	raw = append(raw, line...)
	if err != nil {
		return raw, err
	}
	if len(line) < 3 {
		return raw, fmt.Errorf("line %q: must have a type and end with CRLF", line)
	}
	switch line[0] {
	case '+', '-', ':':
		return raw, nil
	case '$', '*':
		n, err := strconv.Atoi(string(line[1 : len(line)-2]))
		if err != nil {
			return raw, fmt.Errorf("line %q: %w", line, err)
		}
		if line[0] == '$' {
			return appendBulk(raw, r, n)
		}
		return appendValues(raw, r, n)
	default:
		return raw, fmt.Errorf("line %q: no type of RESP2", line)
	}
}

// appendBulk appends a string of n bytes; -1 is one that is not there.
func appendBulk(raw []byte, r *bufio.Reader, n int) ([]byte, error) {
	if n < 0 {
		return raw, nil
	}
	begin := len(raw)
	raw = append(raw, make([]byte, n+2)...)
	_, err := io.ReadFull(r, raw[begin:])
	return raw, err
}

// appendValues appends n values; -1 is a list that is not there.
func appendValues(raw []byte, r *bufio.Reader, n int) ([]byte, error) {
	for range n {
		var err error
		if raw, err = appendValue(raw, r); err != nil {
			return raw, err
		}
	}
	return raw, nil
}

// firstWord returns the first element of a list of strings, such as a command's name or the kind of a push; empty if the
// value is something else.
func firstWord(raw []byte) string {
	parts := bytes.SplitN(raw, []byte("\r\n"), 4)
	if len(parts) < 4 || raw[0] != '*' {
		return ""
	}
	return strings.ToLower(string(parts[2]))
}

// mayWrite reports whether a command could change something, as a server judges it that is full or only a replica: all
// that it does not know to be a question. Announcements change nothing.
func mayWrite(command []byte) bool {
	switch firstWord(command) {
	case "get", "hget", "hmget", "hgetall", "xrange", "xrevrange", "zrange", "zscan", "scan", "keys", "exists", "ttl",
		"smembers", "time", "info", "config", "ping", "hello", "auth", "select", "client", "command", "publish", "subscribe",
		"script", "eval_ro", "evalsha_ro":
		return false
	default:
		return true
	}
}

// carriesState reports whether a command has a State to write.
func carriesState(command []byte) bool {
	return bytes.Contains(command, []byte(`"schema":`)) && mayWrite(command)
}
