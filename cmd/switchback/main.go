// Command switchback is Caddy with Switchback in it: the traffic_split directive, the `split` subcommands, and
// everything that Caddy itself brings.
package main

import (
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	_ "github.com/caddyserver/caddy/v2/modules/standard"

	_ "github.com/switchback-proxy/switchback/caddymodule"
	_ "github.com/switchback-proxy/switchback/cmd/splitcmd"
)

func main() { caddycmd.Main() }
