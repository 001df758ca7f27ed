package splitcmd

import (
	"fmt"
	"strings"
	"time"

	"github.com/switchback-proxy/switchback/api/control"
)

// laggard says in words how an instance is that has not applied a change.
func laggard(l control.Laggard) string {
	switch {
	case l.Unseen == nil:
		return "has left the list meanwhile"
	case l.Silent:
		return "unseen for " + spoken(time.Duration(*l.Unseen)) + ", may still serve as before"
	default:
		return "alive, seen " + spoken(time.Duration(*l.Unseen)) + " ago, has not applied it yet"
	}
}

// confirmed returns errUnconfirmed, with what is missing, unless every instance has applied the change or nobody
// asked. The address is that of the proxy that answered.
func confirmed(c control.Change, wait time.Duration, address string) error {
	switch {
	case c.Queued:
		return queued(c, address)
	case wait <= 0:
		return nil
	case c.Confirmation == nil:
		return errUnconfirmed
	case !c.Confirmation.Complete():
		return hintSilent(c.Confirmation.Laggards, fmt.Errorf("%w: missing %s (they may still serve as before)", errUnconfirmed,
			strings.Join(c.Confirmation.Missing, ", ")))
	}
	return nil
}

// queued says of a kill that is not in the store yet where it holds, as far as that is known, and what to do about the
// rest.
func queued(c control.Change, address string) error {
	elsewhere, hint := "no other is known that could have been told", "if there are other proxies, run the same command on each (--address)"
	switch {
	case len(c.Untold) > 0:
		elsewhere = "these could not be told: " + strings.Join(c.Untold, ", ")
		hint = "run the same command on each of them (--address)"
	case c.Announced:
		elsewhere = "it was announced to the others, which hold it too as far as they heard it"
		hint = "`split status` on another proxy (--address) shows whether it heard it"
	}
	err := fmt.Errorf("%w: the store does not have it yet; it holds on the proxy at %s, and %s", errUnconfirmed, address, elsewhere)
	return hintedError{err, hint}
}

// hintSilent adds to an error what to do about the first instance that has fallen silent.
func hintSilent(laggards []control.Laggard, err error) error {
	for _, l := range laggards {
		name, _, _ := strings.Cut(l.Name, "/")
		switch {
		case l.Silent && l.Duplicate: // to forget the name is no help to the one that lives
			return hintedError{err, nameApart(name)}
		case l.Silent:
			return hintedError{err, "is " + name + " gone for good? Then `split forget --instance " + name + "`, and nobody waits for it any more"}
		}
	}
	return err
}
