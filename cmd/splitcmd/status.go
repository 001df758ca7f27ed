package splitcmd

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/switchback-proxy/switchback/api/control"
	"github.com/switchback-proxy/switchback/health"
	"github.com/switchback-proxy/switchback/splitter"
)

// printStatus shows all of a split, the most urgent first.
func (s *session) printStatus(status control.Status) {
	s.printHead(status)
	s.printWarning(status.Store.Warning)
	s.printKills(status)
	s.printProgress(status)
	s.printVariants(status)
	s.printLimits(status)
	s.printVerdict(status)
	s.printTraffic(status)
	s.printDrilled(status)
	s.printStore(status)
	for _, note := range status.Notes {
		s.say("note", once(note), doubt)
	}
	s.printChanged(status)
}

// say prints one labelled line.
func (s *session) say(label, text string, c colour) { s.sayIn(label, cell{text, c}) }

// sayIn prints one labelled line, of parts in their own colours.
func (s *session) sayIn(label string, parts ...cell) {
	text := s.look.paint(fmt.Sprintf("%-8s", label), subdued)
	for _, part := range parts {
		text += "  " + s.look.paint(printable(part.text), part.colour)
	}
	fmt.Fprintln(s.out, text)
}

func (s *session) printHead(status control.Status) {
	fmt.Fprintf(s.out, "%s  %s  %s\n", s.look.paint(printable(status.Split), strong), s.headline(status),
		s.look.paint("revision "+printable(control.FormatVersion(status.Version)), subdued))
	if why := status.Progress.Why; why != "" {
		s.say(phase(status.Progress).text, s.look.time(status.Progress.Since)+": "+why, plain)
	}
	if !status.Ready {
		s.say("ready", "no: this instance does not serve what the fleet has decided", bad)
	}
	if status.Now.Before(status.Cooldown.Until) {
		s.say("cooldown", fmt.Sprintf("until %s, after %s since the last promotion",
			s.look.time(status.Cooldown.Until), plural(status.Cooldown.Failbacks, "failback")), doubt)
	}
}

// headline says in a few words how the split is; kills come first, as nothing else counts while one is on, then a pause.
func (s *session) headline(status control.Status) string {
	p, epoch := phase(status.Progress), fmt.Sprintf("epoch %d", status.Epoch)
	if status.Progress.Suspected != "" {
		p.text += ", shared cause suspected"
	}
	what := pauseCell(status)
	if len(status.Kills) > 0 {
		what = killCell(status)
	}
	if what.text == "" {
		return s.look.paint(p.text, p.colour) + "  " + epoch
	}
	return s.look.paint(printable(what.text), what.colour) + "  (" + p.text + ", " + epoch + ")"
}

// killCell says what is killed, as a heading.
func killCell(status control.Status) cell {
	if slices.ContainsFunc(status.Kills, func(k splitter.Kill) bool { return k.Variant == "" }) {
		return cell{"KILLED", bad}
	}
	return cell{killedCell(status).text + " KILLED", bad}
}

func (s *session) printKills(status control.Status) {
	for _, k := range status.Kills {
		s.say("killed", fmt.Sprintf("%s (%s, %s) by %s at %s: %s", whatOf(k), manner(k), k.ID,
			orDash(k.Actor), s.look.time(k.At), orDash(k.Reason)), bad)
		s.printEnding(status, k)
	}
}

func (s *session) printVariants(status control.Status) {
	t := table{header: append([]string{"VARIANT", "ROLE", "SHARE"}, append(evidenceHeader, "IN FLIGHT")...)}
	talks := status.File.Conversations != nil
	if talks {
		t.header = append(t.header, "CONVERSATIONS")
	}
	t.header = append(t.header, "REMARKS")
	for _, v := range status.Variants {
		row := []cell{{v.Name, strong}, {orDash(v.Role), plain}, {v.Weight.String(), plain}}
		row = append(row, evidenceCells(v.Summary)...)
		row = append(row, cell{strconv.Itoa(max(v.FleetInFlight, v.InFlight)), plain})
		if talks {
			row = append(row, cell{strconv.Itoa(v.Conversations), plain})
		}
		t.add(append(row, remarks(v))...)
	}
	fmt.Fprintln(s.out)
	t.print(s.out, s.look, "  ")
	window := fmt.Sprintf("REQUESTS to EXCLUDED: the last %s on %s, of a user at most five in ten seconds. IN FLIGHT: as last told.",
		windowOf(status), plural(max(status.ShownInstances, 1), "instance"))
	fmt.Fprintf(s.out, "  %s\n\n", s.look.paint(window, subdued))
	s.printUsers(status)
}

// printUsers says whom each variant has met.
func (s *session) printUsers(status control.Status) {
	for _, v := range status.Variants {
		if v.Summary.Users == 0 && v.Summary.TrialUsers == 0 {
			continue
		}
		s.say("users", fmt.Sprintf("%s: %s in the last %s; since the trial began: %s", v.Name,
			usersMet(v.Summary.Users, v.Summary.UsersFailed), windowOf(status), usersMet(v.Summary.TrialUsers, v.Summary.TrialUsersFailed)), plain)
	}
}

// usersMet says how many users there were, and how many of them were let down.
func usersMet(all, failed uint64) string {
	about := ""
	if all > health.ExactUsers {
		about = "about "
	}
	return fmt.Sprintf("%s%s, %d saw a failure", about, plural(int(all), "user"), failed)
}

// remarks says what is unusual about a variant.
func remarks(v control.Variant) cell {
	switch {
	case v.Killed:
		return cell{"killed", bad}
	case !v.Known:
		return cell{"not in this instance's file: stable serves it", doubt}
	case v.FileSays != v.Weight:
		return cell{"file says " + v.FileSays.String(), subdued}
	}
	return cell{}
}

func (s *session) printLimits(status control.Status) {
	switch r, err := rulesOf(status); {
	case err != nil:
		s.say("limits", err.Error(), bad)
	case r.Failback == nil:
		s.say("limits", "none: nothing fails back by itself", plain)
	default:
		s.say("limits", inWords(*r.Failback), plain)
		s.say("judge", judgeInWords(r.Judge), plain)
	}
}

func (s *session) printStore(status control.Status) {
	d := status.Store
	text, c := storeName(d.Kind, d.Address, d.Fleet), plain
	switch {
	case d.Age == nil:
		text, c = text+", has never answered", bad
	default:
		text += ", answered " + duration(time.Duration(*d.Age)) + " ago"
	}
	if d.Error != "" {
		text, c = text+"; "+once("unavailable: "+strings.Replace(d.Error, d.Address+": ", "", 1)), bad
	}
	s.say("store", text, c)
}

// storeName says which store it is.
func storeName(kind, address, fleet string) string {
	name := strings.TrimSpace(kind + " " + address)
	if fleet != "" {
		name += ", fleet " + fleet
	}
	return name
}

// printWarning shows early what may lose changes, kills among them.
func (s *session) printWarning(warning string) {
	if warning != "" {
		s.say("WARNING", "the store may lose changes: "+warning, bad)
	}
}

func (s *session) printChanged(status control.Status) {
	ch := status.Changed
	if ch.Kind == "" {
		return // there is no State yet
	}
	text := fmt.Sprintf("%s by %s at %s", ch.Kind, orDash(ch.Actor), s.look.time(ch.At))
	if ch.Reason != "" && ch.Reason != status.Progress.Why { // which stands above
		text += ": " + ch.Reason
	}
	s.say("changed", text, plain)
}

// plural returns "1 instance" or "2 instances".
func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// orDash returns s, or a dash for nothing.
func orDash(s string) string { return cmp.Or(s, "-") }

// shares returns weights as text, by name.
func shares(weights map[string]splitter.Weight) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(weights)) {
		parts = append(parts, name+" "+weights[name].String())
	}
	return strings.Join(parts, ", ")
}
