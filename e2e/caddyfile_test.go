//go:build unix

package e2e

import (
	"cmp"
	"fmt"
	"strings"
)

// settings are what the tests' Caddyfiles differ in.
type settings struct {
	redis      string // host:port; "" for the embedded store
	redisExtra string // further lines of `store redis`
	servers    string // lines of `store redis` in place of a url
	embedded   string // folder of the embedded store; default: its own
	instance   string // default: one
	options    string // further lines of the global option switchback
	globals    string // further global options
	site       string // lines of the site, before the split
	after      string // lines of the site, after the split
	split      string // further lines of the split
	blue       *agent
	green      *agent
	share      string // green's share in the file; default: 50%
	version    string // green's declared version
	failback   string // default: max_error_rate 5% of at least 20 requests
}

// caddyfile writes a configuration with one split, assistant.
func (s settings) caddyfile() string {
	share := cmp.Or(s.share, "50%")
	return fmt.Sprintf(`{
	admin ADMIN
	auto_https off
	persist_config off
	grace_period 1s
	%s
	switchback {
		fleet e2e
		instance %s
		%s
		%s
	}
}

http://example.test {
	bind SITE
	%s
	traffic_split assistant {
		key header X-User-ID
		stable blue
		canary green
		variant blue %s %s
		variant green %s %s %s
		failback {
			%s
		}
		%s
	}
	%s
}
`, s.globals, cmp.Or(s.instance, "one"), s.options, s.store(), s.site, rest(share), s.blue.addr, share, s.green.addr,
		s.block(), cmp.Or(s.failback, "max_error_rate 5%\nmin_requests 20"), s.split, s.after)
}

func (s settings) store() string {
	if s.servers != "" {
		return fmt.Sprintf("store redis {\n%s\n}", s.servers)
	}
	if s.redis == "" {
		return "store embedded " + s.embedded
	}
	return fmt.Sprintf("store redis {\nurl redis://%s/0\n%s\n}", s.redis, s.redisExtra)
}

func (s settings) block() string {
	if s.version == "" {
		return ""
	}
	return "{\nversion " + s.version + "\n}"
}

// rest returns what a whole percentage leaves.
func rest(share string) string {
	var percent int
	if _, err := fmt.Sscanf(strings.TrimSuffix(share, "%"), "%d", &percent); err != nil {
		panic(err)
	}
	return fmt.Sprintf("%d%%", 100-percent)
}
