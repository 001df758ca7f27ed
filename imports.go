// Package switchback puts Switchback into a Caddy that somebody else builds. Switchback is a Caddy module that stands in
// front of two or more versions of an AI agent: it keeps every user on one version, moves users over a fraction of a
// percent at a time, watches every answer to its last byte, and switches everyone back, by itself or at one command, on
// every proxy of a fleet at once.
//
//	xcaddy build --with github.com/switchback-proxy/switchback
//
// gives a Caddy that knows the directive traffic_split, the global option switchback and the command `caddy split`.
// A ready-built one is cmd/switchback.
//
// There is nothing to call here: importing the package registers the modules, as is Caddy's custom. To read the code,
// begin with package splitter (which variant serves this key?), then health (did the answers go well?), rollout (what
// follows?), store (who remembers?) and caddymodule (requests in, responses out).
package switchback

import (
	// The Caddy modules: the handler, the app and the admin routes.
	_ "github.com/switchback-proxy/switchback/caddymodule"
	// The subcommand split of the built binary.
	_ "github.com/switchback-proxy/switchback/cmd/splitcmd"
)
