package alert

import (
	"fmt"
	"maps"
	"strings"

	"github.com/switchback-proxy/switchback/rollout"
	"github.com/switchback-proxy/switchback/store"
)

// Severity is how urgent an event is. The zero value is Info.
type Severity uint8

// How urgent an event is.
const (
	Info     Severity = iota // as planned, or asked for
	Warning                  // to be looked at
	Critical                 // users are, or were, hit: look at once
)

var severities = [...]string{"info", "warning", "critical"}

// String returns info, warning or critical.
func (s Severity) String() string {
	if int(s) < len(severities) {
		return severities[s]
	}
	return fmt.Sprintf("Severity(%d)", uint8(s))
}

// ParseSeverity reads what String writes.
func ParseSeverity(text string) (Severity, error) {
	for s, name := range severities {
		if text == name {
			return Severity(s), nil
		}
	}
	return 0, fmt.Errorf("severity %q: it must be one of %s", text, strings.Join(severities[:], ", "))
}

// SeverityOf says how urgent an event is: by its kind, but a pause for a verdict like the failback that it is in place of,
// and a drill that failed like what is to be looked at. A kind of a later release is a warning.
func SeverityOf(ev store.Event) Severity {
	if rollout.DrillFailed(ev) {
		return Warning
	}
	if ev.Kind == rollout.KindPaused && len(ev.Evidence) > 0 {
		return Critical
	}
	if (ev.Kind == rollout.KindVersion || ev.Kind == rollout.KindAdopt) && !maps.Equal(ev.From, ev.To) {
		return Warning // a rollout begins again, or a file has moved users
	}
	if k, ok := kinds[ev.Kind]; ok {
		return k.severity
	}
	return Warning
}
