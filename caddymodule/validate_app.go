package caddymodule

import (
	"slices"
	"strings"
	"time"

	"github.com/switchback-proxy/switchback/splitter"
)

const (
	maxInstance  = 128
	instanceRule = "must be 1 to 128 letters, digits, dots, underscores and hyphens"
)

// validate checks all that can be known without asking a store. It returns a configError, never with a secret in it.
func (a *App) validate(g stage) error {
	switch {
	case a.Fleet != "" && !g.unknown(a.Fleet) && !splitter.ValidName(a.Fleet):
		return wrong("fleet", "fleet %q: it %s", a.Fleet, nameRule)
	case a.Instance != "" && !g.unknown(a.Instance) && !isInstance(a.Instance):
		return wrong("instance", "instance %q: it %s", a.Instance, instanceRule)
	case a.OnStale != "" && a.OnStale != onStaleKeep && a.OnStale != onStaleStable:
		return wrong("on_stale", "on_stale %q: it must be keep or stable", a.OnStale)
	case a.MaxStale < 0:
		return wrong("max_stale", "max_stale %v must be longer than 0s", time.Duration(a.MaxStale))
	case a.BootWait < 0:
		return wrong("boot_wait", "boot_wait %v must be longer than 0s", time.Duration(a.BootWait))
	}
	if err := a.validateSecrets(); err != nil {
		return err
	}
	if err := a.validateAlerts(g); err != nil {
		return err
	}
	return within("store", a.Store.validate(g))
}

// isInstance reports whether s can name a proxy: host names can.
func isInstance(s string) bool {
	const others = ".-_"
	return s != "" && len(s) <= maxInstance && !strings.ContainsFunc(s, func(r rune) bool {
		isLetter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
		isDigit := r >= '0' && r <= '9'
		return !isLetter && !isDigit && !strings.ContainsRune(others, r)
	})
}

func (a *App) validateSecrets() error {
	for i, secret := range a.Secrets {
		if secret == "" {
			return wrong(item("secrets", i), "secret number %d is empty", i+1)
		}
		if first := slices.Index(a.Secrets, secret); first < i {
			return wrong(item("secrets", i), "secrets number %d and %d are the same", first+1, i+1)
		}
	}
	return nil
}

func (s *StoreConfig) validate(g stage) error {
	switch {
	case s == nil:
		return nil
	case s.Embedded != nil && s.Redis != nil:
		return wrong("", "store must be either embedded or redis")
	case s.Redis != nil:
		return within("redis", s.Redis.validate(g))
	}
	return nil
}
