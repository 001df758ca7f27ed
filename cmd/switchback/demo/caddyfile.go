package demo

import (
	"fmt"
	"strings"
	"text/template"
)

// redisVariable is the environment variable that hands the Redis URL to a proxy, so that a password in it is neither
// in a file nor in the list of processes.
const redisVariable = "SWITCHBACK_DEMO_REDIS"

// settings are what the demo's Caddyfiles differ in.
type settings struct {
	Admin    string // address of the admin endpoint, in Caddy's notation
	Site     string // host:port
	Fleet    string
	Instance string
	Redis    bool // on the Redis of redisVariable; else on the embedded store
	Blue     string
	Green    string
}

var caddyfileTemplate = template.Must(template.New("Caddyfile").Parse(`{
	admin "{{.Admin}}"
	auto_https off
	persist_config off
	grace_period 2s
	log {
		exclude admin.api
	}
	switchback {
		fleet {{.Fleet}}
		instance {{.Instance}}
{{- if .Redis}}
		store redis {
			url {env.` + redisVariable + `}
		}
{{- end}}
	}
}

http://{{.Site}} {
	bind 127.0.0.1
	traffic_split ` + split + ` {
		key header X-User-ID
		stable ` + blue + `
		canary ` + green + `
		variant ` + blue + ` 100% {{.Blue}}
		variant ` + green + ` 0% {{.Green}}
		failback {
			window 60s
			min_requests 20
			max_error_rate 5%
			cooldown 15m
		}
		kill_response 503 {
			retry_after 30s
		}
	}
}
`))

// caddyfile returns a proxy's configuration.
func caddyfile(s settings) (string, error) {
	var text strings.Builder
	if err := caddyfileTemplate.Execute(&text, s); err != nil {
		return "", fmt.Errorf("write the Caddyfile: %w", err)
	}
	return text.String(), nil
}
