// Command switchback is a Caddy that carries Switchback: all that Caddy does, the directive traffic_split, the command
// `switchback split` to steer it, and `switchback demo` to see it at work.
//
//	switchback demo
//	switchback run --config Caddyfile
//	switchback split status assistant
package main

import (
	"github.com/caddyserver/caddy/v2"
	caddycmd "github.com/caddyserver/caddy/v2/cmd"

	// Caddy's own modules.
	_ "github.com/caddyserver/caddy/v2/modules/standard"

	// The directive, the app and the admin routes.
	_ "github.com/switchback-proxy/switchback/caddymodule"
	// The commands `split` and `demo`.
	_ "github.com/switchback-proxy/switchback/cmd/splitcmd"
	_ "github.com/switchback-proxy/switchback/cmd/switchback/demo"
)

func main() {
	caddy.CustomBinaryName = "switchback"
	caddycmd.Main()
}
