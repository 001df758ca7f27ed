package caddymodule

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
)

var threeFields = [][]string{{"thread", "id"}, {"id"}, {"n"}}

func TestFindFields(t *testing.T) {
	for _, tt := range []struct {
		in   string
		want [3]string
	}{
		{`{"thread":{"id":"a"}}`, [3]string{"a"}},
		{`{"id":"b","n":7}`, [3]string{"", "b", "7"}},
		{`{"id":{"id":"x"},"n":[1,{"id":"y"}],"thread":{"n":1}}`, [3]string{}},
		{`{"x":[[{"id":"y"}]],"y":{"z":{}},"id":"b"}`, [3]string{"", "b"}},
		{`{"id":"first","id":"second"}`, [3]string{"", "first"}},
		{`{"id":"","id":"second"}`, [3]string{"", "second"}},
		{`{"id":null,"n":true}`, [3]string{}},
		{`{"id":"ü\n","n":-1.50e3}`, [3]string{"", "ü\n", "-1.50e3"}},
		{`{"id":"b","n":7`, [3]string{"", "b"}}, // who knows how the number goes on
		{`{"id":"b`, [3]string{}},
		{`{"id":"b"!`, [3]string{"", "b"}},
		{`[{"id":"b"}]`, [3]string{}},
		{`"id"`, [3]string{}},
		{`7`, [3]string{}},
		{``, [3]string{}},
		{`]}`, [3]string{}},
	} {
		if diff := cmp.Diff(tt.want[:], findFields(strings.NewReader(tt.in), threeFields)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.in, diff)
		}
	}
}

// What a field holds is what encoding/json finds there, however the text comes, and what was read ahead is read again.
func FuzzReadFields(f *testing.F) {
	for _, in := range []string{
		`{"thread":{"id":"a"},"id":"b","n":7}`, `{"id":"b","n":[{"n":1}]}`, `{"id":"b"`, `[{"id":1}]`, `{"id":"\ud800"}`, ``,
	} {
		f.Add(in)
	}
	f.Fuzz(func(t *testing.T, in string) {
		r := httptest.NewRequest(http.MethodPost, "/", iotest.OneByteReader(strings.NewReader(in)))
		r.Header.Set("Content-Type", "application/json")
		values := readFields(r, threeFields)
		if passed, err := io.ReadAll(r.Body); err != nil || string(passed) != in {
			t.Fatalf("%q is passed on as %q, %v", in, passed, err)
		}
		var plain struct {
			ID     *string `json:"id"`
			Thread struct {
				ID *string `json:"id"`
			} `json:"thread"`
		}
		if strings.Count(in, `"`) > 12 || strings.Contains(strings.ToLower(in), `\u`) || json.Unmarshal([]byte(in), &plain) != nil {
			return // names that differ in case, twice or with escapes: encoding/json alone would take one for the other
		}
		if plain.ID != nil && *plain.ID != "" && strings.Count(strings.ToLower(in), `"id"`) == 1 && values[1] != *plain.ID &&
			strings.Contains(in, `"id"`) {
			t.Errorf("%q: got id %q, want %q", in, values[1], *plain.ID)
		}
	})
}

// A body is read as far as is needed, at most 64 KiB, and passed on as it came, with whatever it ends with.
func TestReadAhead(t *testing.T) {
	failure := errors.New("the client is gone")
	long := strings.Repeat("x", maxReadAhead)
	at := func(length int) string { // an id that ends so far into the body
		const begin, end = `{"pad":"`, `","id":"b"`
		return begin + long[:length-len(begin)-len(end)] + end
	}
	for _, tt := range []struct {
		name string
		body string
		err  error
		want string
	}{
		{"exactly 64 KiB", at(maxReadAhead-1) + "}", nil, "b"},
		{"the field ends at 64 KiB", at(maxReadAhead) + "}", nil, "b"},
		{"a byte too late", at(maxReadAhead+1) + "}", nil, ""},
		{"much longer", `{"id":"b","pad":"` + long + long + `"}`, nil, "b"},
		{"broken off", `{"id":"b","pad":"` + long[:100], failure, "b"},
		{"broken off before", `{"pad":"` + long[:100], failure, ""},
		{"broken off late", `{"pad":"` + long + long[:100], failure, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var body io.Reader = strings.NewReader(tt.body)
			if tt.err != nil {
				body = io.MultiReader(body, iotest.ErrReader(tt.err))
			}
			counted := &counting{Reader: body}
			r := httptest.NewRequest(http.MethodPost, "/", counted)
			r.Header.Set("Content-Type", "application/json; charset=utf-8")
			if got := readFields(r, [][]string{{"id"}})[0]; got != tt.want {
				t.Errorf("got id %q, want %q", got, tt.want)
			}
			if counted.n > maxReadAhead {
				t.Errorf("read %d bytes ahead, want at most %d", counted.n, maxReadAhead)
			}
			passed, err := io.ReadAll(r.Body)
			if !errors.Is(err, tt.err) || string(passed) != tt.body {
				t.Errorf("passed on %d bytes and %v, want %d and %v", len(passed), err, len(tt.body), tt.err)
			}
			if kept := r.Body.(*readAhead).begin; kept != nil {
				t.Errorf("keeps %d bytes once they are read, want none", cap(kept))
			}
		})
	}
}

// A client that sends its whole object, and leaves its request open, is waited for no longer.
func TestReadAheadEndsWithTheObject(t *testing.T) {
	for _, in := range []string{`{"q":1,"n":[1,{}]}`, ` {} `, `[]`} {
		more := &counting{Reader: strings.NewReader("more")}
		r := httptest.NewRequest(http.MethodPost, "/", io.MultiReader(strings.NewReader(in), more))
		r.Header.Set("Content-Type", "application/json")
		if got := readFields(r, [][]string{{"id"}})[0]; got != "" || more.n > 0 {
			t.Errorf("%s: got id %q and %d bytes of what follows, want none", in, got, more.n)
		}
		if passed, err := io.ReadAll(r.Body); string(passed) != in+"more" || err != nil {
			t.Errorf("%s: passed on %q, %v", in, passed, err)
		}
	}
}

// counting counts what is read.
type counting struct {
	io.Reader
	n int
}

// Read reads on.
func (c *counting) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.n += n
	return n, err
}

func TestWhatIsNotReadAhead(t *testing.T) {
	for name, spoil := range map[string]func(*http.Request){
		"text":       func(r *http.Request) { r.Header.Set("Content-Type", "text/plain") },
		"no type":    func(r *http.Request) { r.Header.Del("Content-Type") },
		"compressed": func(r *http.Request) { r.Header.Set("Content-Encoding", "gzip") },
		"grpc":       func(r *http.Request) { r.Header.Set("Content-Type", "application/grpc+json") },
		"upgrade":    func(r *http.Request) { r.Header.Set("Upgrade", "websocket") },
		"connect":    func(r *http.Request) { r.Method = http.MethodConnect },
		"empty":      func(r *http.Request) { r.ContentLength = 0 },
	} {
		body := bytes.NewBufferString(`{"id":"b"}`)
		r := httptest.NewRequest(http.MethodPost, "/", body)
		r.Header.Set("Content-Type", "application/json")
		own := r.Body
		spoil(r)
		if got := readFields(r, [][]string{{"id"}}); got != nil || r.Body != own || body.Len() != 10 {
			t.Errorf("%s: got %q, and %d bytes left to read, want it untouched", name, got, body.Len())
		}
	}
}
