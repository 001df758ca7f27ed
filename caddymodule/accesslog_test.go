package caddymodule

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestAccessLogsThatPrintKeys loads sites whose access logs print keys, or filter them.
func TestAccessLogsThatPrintKeys(t *testing.T) {
	const filtered = `format filter {
			request>headers>X-User-Id delete
			request>uri query {
				delete user
			}
			user_id hash
		}`
	all := []string{"request>headers>X-User-Id", "user_id", "request>uri"}
	for _, tt := range []struct {
		name string
		log  string // of the site
		want map[string][]string
	}{
		{"no log", "", nil},
		{"no filter", "log", map[string][]string{"http.log.access": all}},
		{"all filtered", "log {\n" + filtered + "\n}", nil},
		{"a format around it", `log {
			format append {
				site one
				wrap ` + strings.Replace(filtered, "format filter {", "filter {\nwrap json", 1) + `
			}
		}`, nil},
		{"one left", `log {
			format filter {
				request>headers>X-User-Id delete
				request>headers>User_id delete
				request>uri query {
					delete usr
				}
				user_id delete
			}
		}`, map[string][]string{"http.log.access.log0": {"request>uri"}}},
		{"the request left out", "log {\nformat filter {\nrequest delete\nuser_id delete\n}\n}", nil},
		{"discarded", "log {\noutput discard\n}", nil},
		{"for a host, one of two", "log one {\nhostnames one.test\n" + filtered + "\n}\nlog two {\nhostnames two.test\n}",
			map[string][]string{"http.log.access.two": all}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			own := filepath.Join(t.TempDir(), "log")
			err := validate(t, `{
	admin off
	log {
		output file `+own+`
		format json
	}
}

http://one.test:8081, http://two.test:8081 {
	`+tt.log+`
	traffic_split assistant {
		key header X-User-ID
		key {http.auth.user.id}
		key query user
		key cookie uid
		variant only 100% localhost:8000
	}
}
`)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, warnedOf(t, own)); diff != "" {
				t.Errorf("fields that are warned of, by log (-want +got):\n%s", diff)
			}
		})
	}
}

// warnedOf returns the fields that a log warns of, by the log that prints them.
func warnedOf(t *testing.T, path string) (fields map[string][]string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		var entry struct {
			Msg, Log string
			Fields   []string
		}
		if err := json.Unmarshal([]byte(line), &entry); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		if strings.HasPrefix(entry.Msg, "an access log prints the key") {
			if fields == nil {
				fields = map[string][]string{}
			}
			fields[entry.Log] = entry.Fields
		}
	}
	return fields
}
