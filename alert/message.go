package alert

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/switchback-proxy/switchback/rollout"
	"github.com/switchback-proxy/switchback/splitter"
	"github.com/switchback-proxy/switchback/store"
)

// How long a message may be, in characters: what every service takes in one piece.
const (
	maxTitle = 120
	maxText  = 1700
	maxWords = 500 // of what somebody wrote
)

// View is what a template sees of an event. All of it is text, and empty where nothing is known.
type View struct {
	// Title is the event in one line, Text all that is known of it in several: what is sent without a template.
	Title, Text string
	// ID is the event's idempotency key.
	ID string
	// Split, Kind and Severity say what it is about and how urgent: "assistant", "failback", "critical".
	Split, Kind, Severity string
	// Actor is who says to have done it, Via how it came in as far as that was verified, Reason why.
	Actor, Via, Reason string
	// From and To are the weights before and after: "blue 75%, green 25%".
	From, To string
	// Numbers is what the verdict rested on.
	Numbers string
	// Revision and Epoch are the State's; At is when, by the store's clock, in RFC 3339.
	Revision, Epoch, At string
	// Advice is what to do.
	Advice string
	// Link is where to look, Contact who is called, both as configured.
	Link, Contact string
}

// viewOf describes an event.
func viewOf(ev store.Event, link, contact string) View {
	v := View{
		ID: ev.ID, Split: ev.Split, Kind: ev.Kind, Severity: SeverityOf(ev).String(),
		Actor: plain(ev.Actor), Via: plain(ev.Via), Reason: plain(ev.Reason),
		From: weightsText(ev.From), To: weightsText(ev.To), Numbers: numbers(ev.Evidence),
		Advice: advice(ev), Link: link, Contact: contact,
	}
	if ev.Revision > 0 {
		v.Revision, v.Epoch = strconv.FormatUint(ev.Revision, 10), strconv.FormatUint(ev.Epoch, 10)
	}
	if !ev.At.IsZero() {
		v.At = ev.At.UTC().Format(time.RFC3339)
	}
	v.Title = cut(subject(ev)+": "+whatHappened(ev), maxTitle)
	v.Text = cut(v.text(ev), maxText)
	return v
}

// subject is whom an event is about.
func subject(ev store.Event) string {
	if ev.Split == "" || ev.Kind == rollout.KindStoreLost || ev.Kind == rollout.KindStoreBack {
		return "Switchback"
	}
	return ev.Split
}

// text says what happened, why, by the numbers, and what to do.
func (v View) text(ev store.Event) string {
	var b strings.Builder
	line := func(name, value string) {
		if value != "" {
			fmt.Fprintf(&b, "%s: %s\n", name, value)
		}
	}
	line("Why", v.Reason)
	line("Weights", moves(ev.From, ev.To))
	line(killsName(ev), killsText(ev.Kills))
	line("Numbers", v.Numbers)
	line("By", by(v))
	line("When", v.At)
	line("What to do", v.Advice)
	line("Contact", v.Contact)
	line("Look at", v.Link)
	return strings.TrimSuffix(b.String(), "\n")
}

func by(v View) string {
	if v.Actor == "" || v.Via == "" {
		return v.Actor
	}
	return v.Actor + " (" + v.Via + ")"
}

// advice is what to do about an event.
func advice(ev store.Event) string {
	e, exposed := rollout.ExposureOf(ev)
	switch {
	case ev.Kind == kindTest:
		return ""
	case exposed:
		return fmt.Sprintf("`switchback split abort %s` takes everybody back to %s; `switchback split resume %s` once %s is repaired; "+
			"`switchback split why %s` says more", ev.Split, e.Stable, ev.Split, e.Canary, ev.Split)
	case ev.Kind == rollout.KindStoreLost:
		return "repair the way to the store; until then changes are refused, and a kill holds where it is made"
	case ev.Kind == rollout.KindKill:
		return "switchback split status " + ev.Split
	case ev.Split == "" || ev.Kind == rollout.KindStoreBack:
		return "switchback split list"
	}
	return "switchback split why " + ev.Split
}

// weightsText lists weights by name: "blue 75%, green 25%".
func weightsText(w map[string]splitter.Weight) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(w)) {
		parts = append(parts, name+" "+w[name].String())
	}
	return strings.Join(parts, ", ")
}

// moves lists the weights that changed: "blue 75% → 100%, green 25% → 0%".
func moves(from, to map[string]splitter.Weight) string {
	if len(from) == 0 {
		return weightsText(to)
	}
	all := maps.Clone(from)
	maps.Copy(all, to)
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if len(to) > 0 && from[name] != to[name] {
			parts = append(parts, fmt.Sprintf("%s %s → %s", name, from[name], to[name]))
		}
	}
	return strings.Join(parts, ", ")
}

// killsName says what became of the kills of an event.
func killsName(ev store.Event) string {
	if ev.Kind == rollout.KindRevive {
		return "Lifted"
	}
	return "Off"
}

// killsText lists what kills turn off, or turned off until now.
func killsText(kills []splitter.Kill) string {
	var parts []string
	for _, k := range kills {
		what := k.Variant
		if what == "" {
			what = "the whole split"
		}
		parts = append(parts, fmt.Sprintf("%s (level %s)", what, k.Level))
	}
	return strings.Join(parts, ", ")
}

// plain makes one bounded line of what somebody wrote.
func plain(words string) string {
	words = strings.Map(func(r rune) rune {
		if splitter.Unshown(r) {
			return ' '
		}
		return r
	}, words)
	return cut(strings.TrimSpace(words), maxWords)
}

// cut bounds a text to n characters.
func cut(s string, n int) string {
	runes := []rune(s)
	if len(runes) <= n {
		return s
	}
	return string(runes[:n-1]) + "…"
}
