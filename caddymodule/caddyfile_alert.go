package caddymodule

import (
	"slices"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

// parseAlert parses a target of alerts. Syntax:
//
//	alert <name> <url> {
//	    events   <kinds...>
//	    severity info|warning|critical
//	    template <text>
//	    secret   <secret>
//	}
func (a *App) parseAlert(d *caddyfile.Dispenser, at positions) error {
	path := item("alerts", len(a.Alerts))
	at.mark(path, d)
	to := new(Alert)
	a.Alerts = append(a.Alerts, to)
	if !d.Args(&to.Name, &to.URL) {
		return d.Err("alert needs a name and a url, such as: alert oncall {env.ONCALL_URL}")
	}
	if d.NextArg() {
		return d.Errf("unexpected %q after the url of alert %s", d.Val(), to.Name)
	}
	return parseBlock(d, "alert", to.subDirectives(path+".", at))
}

func (to *Alert) subDirectives(path string, at positions) map[string]subDirective {
	return map[string]subDirective{
		"events":   at.marked(path+"events", repeated(to.parseEvents)),
		"severity": at.marked(path+"severity", text(&to.Severity, "info, warning or critical")),
		"template": at.marked(path+"template", text(&to.Template, "a text, in quotes or as a heredoc")),
		"secret":   at.marked(path+"secret", text(&to.Secret, "a secret")),
	}
}

func (to *Alert) parseEvents(d *caddyfile.Dispenser) error {
	names := d.RemainingArgs()
	if len(names) == 0 {
		return d.Err("events needs at least one kind of event, such as failback")
	}
	to.Events = slices.Concat(to.Events, names)
	return nil
}
