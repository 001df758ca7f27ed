// Package demo adds the command `demo` to Caddy's command line: a newcomer's first look at Switchback, which needs
// nothing but this binary. It starts two stand-in agents that stream tokens, one proxy (two with --redis) and a crowd
// of visitors, gives green 1, 10 and 25 % of them, lets green fail, waits until the proxy has failed back by itself,
// kills the split and revives it. A live table shows what happens; the exit code is 0 only if each step did what it
// says.
//
//	switchback demo [--stay] [--json] [--redis redis://localhost:6379]
//	switchback demo agent    --listen :8000 --name blue [--fail 0.5] [--token-delay 20ms]
//	switchback demo visitors --target http://proxy1:8080,http://proxy2:8080 [--users 200] [--rps 50] [--for 1m]
//
// The two sub-commands run one agent or one crowd by itself, for docker-compose.yml.
//
// The proxies are processes of their own, configured by a Caddyfile and steered through the control API, as in
// production: what the demo shows is what a user gets. Importing the package registers the command; it has nothing
// else to offer, and nothing in it is meant for production.
package demo
