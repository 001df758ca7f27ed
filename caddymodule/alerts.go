package caddymodule

import (
	"net/url"
	"slices"

	"github.com/switchback-proxy/switchback/alert"
	"github.com/switchback-proxy/switchback/rollout"
	"github.com/switchback-proxy/switchback/splitter"
)

// validateAlerts checks the targets of alerts. Its errors have no URL and no secret in them.
func (a *App) validateAlerts(g stage) error {
	names := map[string]bool{}
	for i, to := range a.Alerts {
		path := item("alerts", i)
		switch {
		case to == nil || !splitter.ValidName(to.Name):
			return wrong(path, "alert %q: its name %s", to.name(), nameRule)
		case names[to.Name]:
			return wrong(path, "alert %q is given twice: each needs a name of its own", to.Name)
		}
		names[to.Name] = true
		if err := within(path, to.validate(g)); err != nil {
			return err
		}
	}
	if a.AlertLink != "" && !g.unknown(a.AlertLink) && !isWebAddress(a.AlertLink) {
		return wrong("alert_link", "alert_link %.200q: it must begin with http:// or https://", a.AlertLink)
	}
	return nil
}

func isWebAddress(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != ""
}

func (to *Alert) name() string {
	if to == nil {
		return ""
	}
	return to.Name
}

func (to *Alert) validate(g stage) error {
	for _, name := range to.Events {
		if alert.CheckKind(name) != nil {
			return wrong("events", "alert %q: events %q is no kind of event; %s", to.Name, name, suggest(name, alert.Kinds()))
		}
	}
	if to.Severity != "" {
		if _, err := alert.ParseSeverity(to.Severity); err != nil {
			return wrong("severity", "alert %q: %w", to.Name, err)
		}
	}
	if to.Template != "" {
		if _, err := alert.ParseTemplate(to.Template); err != nil {
			return wrong("template", "alert %q: %w", to.Name, err)
		}
	}
	if g.unknown(to.URL) {
		return nil
	}
	cfg, err := to.config()
	if err == nil {
		_, err = alert.New(cfg)
	}
	if err != nil {
		return wrong("url", "alert %q: %w", to.Name, err)
	}
	return nil
}

// newTargets makes the targets of what is expanded and validated.
func (a *App) newTargets() ([]rollout.Target, error) {
	targets := make([]rollout.Target, len(a.Alerts))
	for i, to := range a.Alerts {
		cfg, err := to.config()
		if err != nil {
			return nil, within(item("alerts", i), err)
		}
		cfg.Link, cfg.Contact = a.AlertLink, a.contactOf
		if targets[i], err = alert.New(cfg); err != nil {
			return nil, wrong(item("alerts", i), "alert %q: %w", to.Name, err)
		}
	}
	return targets, nil
}

// config is what package alert needs to know of a target.
func (to *Alert) config() (alert.Config, error) {
	cfg := alert.Config{Name: to.Name, URL: to.URL, Secret: to.Secret, Events: slices.Clone(to.Events)}
	if len(to.Events) == 0 {
		cfg.Severity = alert.Warning
	}
	var err error
	if to.Severity != "" {
		if cfg.Severity, err = alert.ParseSeverity(to.Severity); err != nil {
			return cfg, err
		}
	}
	if to.Template != "" {
		cfg.Template, err = alert.ParseTemplate(to.Template)
	}
	return cfg, err
}

// contactOf returns who is called when a split needs a person.
func (a *App) contactOf(split string) string {
	s := a.controller.Split(split)
	if s == nil {
		return ""
	}
	return s.Definition().Contact
}
