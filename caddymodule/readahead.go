package caddymodule

import (
	"encoding/json"
	"io"
	"mime"
	"net/http"
	"slices"
	"strings"
)

// maxReadAhead is how much of a request's body is read before it is known which variant gets it, in bytes.
const maxReadAhead = 64 << 10

// readAhead is a request's body of which the beginning was read already: it is read again from here, and then the rest.
type readAhead struct {
	io.ReadCloser // the request's own
	begin         []byte
	err           error // what reading the beginning ended with; nil if there may be more
}

// Read reads what was read ahead, then on.
func (b *readAhead) Read(p []byte) (int, error) {
	if len(b.begin) > 0 {
		n := copy(p, b.begin)
		if b.begin = b.begin[n:]; len(b.begin) == 0 {
			b.begin = nil // an answer may go on for hours
		}
		return n, nil
	}
	if b.err != nil {
		return 0, b.err
	}
	return b.ReadCloser.Read(p)
}

// ownBody returns the server's own body of a request, which it must find in its place when the answer begins.
func ownBody(body io.ReadCloser) io.ReadCloser {
	if ahead, ok := body.(*readAhead); ok {
		return ahead.ReadCloser
	}
	return body
}

// recorder reads at most maxReadAhead of a body, and keeps what it read.
type recorder struct {
	body io.Reader
	read []byte
	err  error
}

// Read reads on, as far as is allowed.
func (r *recorder) Read(p []byte) (int, error) {
	if r.err != nil {
		return 0, r.err
	}
	p = p[:min(len(p), maxReadAhead-len(r.read))]
	if len(p) == 0 {
		return 0, io.EOF
	}
	n, err := r.body.Read(p)
	r.read, r.err = append(r.read, p[:n]...), err
	return n, err
}

// readFields returns the values of some fields of a request's JSON body, by their indices; nil if it is not looked into.
// No more is read than is needed to find the first of them, and the body is left as if nothing had been.
func readFields(r *http.Request, fields [][]string) []string {
	if !isReadable(r) {
		return nil
	}
	body := &recorder{body: r.Body}
	values := findFields(body, fields)
	r.Body = &readAhead{r.Body, body.read, body.err}
	return values
}

// isReadable reports whether a request has a JSON body that may be read ahead: none of gRPC, whose messages are framed,
// and none of an upgrade, whose client waits for an answer first.
func isReadable(r *http.Request) bool {
	if r.Body == nil || r.Body == http.NoBody || r.ContentLength == 0 || r.Method == http.MethodConnect || len(r.Header["Upgrade"]) > 0 {
		return false
	}
	for _, encoding := range r.Header["Content-Encoding"] {
		if !strings.EqualFold(encoding, "identity") {
			return false
		}
	}
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	return err == nil && (kind == "application/json" || strings.HasSuffix(kind, "+json") && !strings.HasPrefix(kind, "application/grpc"))
}

// findFields returns the values of the fields of a JSON object that are strings or numbers, as far as it can be read, and
// reads no further than to its end. Of a field that occurs twice the first one counts.
func findFields(body io.Reader, fields [][]string) []string {
	values := make([]string, len(fields))
	decoder := json.NewDecoder(body)
	decoder.UseNumber()
	var at jsonPath
	for values[0] == "" {
		token, err := decoder.Token()
		if err != nil {
			break
		}
		value, isWhole := at.take(token, decoder)
		if len(at.opened) == 0 {
			break // what follows the object is none of its fields, and may be long in coming
		}
		if !isWhole {
			continue
		}
		for i, field := range fields {
			if values[i] == "" && slices.Equal(at.keys, field) {
				values[i] = value
			}
		}
	}
	return values
}

// jsonPath follows the tokens of a JSON text.
type jsonPath struct {
	keys   []string // the key of each open object that is being read
	opened []bool   // for each open container, whether it is an object
	wants  bool     // whether the next token of the innermost object is a key
	lists  int      // open lists: what is in one has no path
}

// take follows one token. If it is the value that the keys lead to, a string or a number, that is returned.
func (p *jsonPath) take(token json.Token, decoder *json.Decoder) (value string, ok bool) {
	switch token := token.(type) {
	case json.Delim:
		p.delimit(token)
		return "", false
	case string:
		if p.wants {
			p.keys[len(p.keys)-1], p.wants = token, false
			return "", false
		}
		value = token
	case json.Number:
		// One that nothing follows may have been cut off.
		if isMore(decoder) {
			value = token.String()
		}
	}
	p.wants = p.isObject()
	return value, p.lists == 0 && value != ""
}

// isMore reports whether something follows what was read last.
func isMore(decoder *json.Decoder) bool {
	var next [1]byte
	n, _ := decoder.Buffered().Read(next[:])
	return n > 0
}

// delimit opens or closes a container.
func (p *jsonPath) delimit(d json.Delim) {
	switch d {
	case '{':
		p.opened, p.keys, p.wants = append(p.opened, true), append(p.keys, ""), true
		return
	case '[':
		p.opened, p.wants = append(p.opened, false), false
		p.lists++
		return
	case '}':
		p.keys = p.keys[:len(p.keys)-1]
	case ']':
		p.lists--
	}
	p.opened = p.opened[:len(p.opened)-1]
	p.wants = p.isObject()
}

// isObject reports whether the innermost container is an object.
func (p *jsonPath) isObject() bool { return len(p.opened) > 0 && p.opened[len(p.opened)-1] }
