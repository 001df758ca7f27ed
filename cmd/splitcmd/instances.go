package splitcmd

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/switchback-proxy/switchback/api/control"
)

func instancesCommand(h host) *cobra.Command {
	return &cobra.Command{
		Use:   "instances",
		Short: "Lists the fleet's instances and what they have applied",
		Args:  atMost(0),
		RunE: h.run(func(ctx context.Context, s *session, _ []string) error {
			return show(ctx, s, s.client.Instances, s.printInstances)
		}),
	}
}

func (s *session) printInstances(list control.Instances) {
	t := table{header: []string{"INSTANCE", "BOOT", "RELEASE", "STARTED", "SEEN", "STATE"}}
	for _, i := range list.Instances {
		t.add(cell{i.Name, strong}, cell{i.Boot, subdued}, cell{orDash(i.Release), plain},
			cell{s.look.time(i.Started), subdued}, cell{duration(time.Duration(i.Unseen)) + " ago", plain}, stateOf(i))
	}
	t.print(s.out, s.look, "")
	for _, advice := range adviceOn(list.Instances) {
		s.say("note", advice, doubt)
	}
	if d := list.Store; d.Fleet != "" {
		s.say("note", breakGlass(d.Fleet), plain)
	}
}

// breakGlass says how to kill a split of a fleet without any proxy's help.
func breakGlass(fleet string) string {
	return "break-glass: redis-cli SET 'switchback:{" + fleet + "}:kill:SPLIT' \"reason\""
}

// stateOf says in words how an instance is.
func stateOf(i control.Instance) cell {
	if i.Replaced {
		return cell{"ended without a goodbye, runs again", subdued}
	}
	var says []string
	c := good
	if len(i.Behind) > 0 {
		says, c = append(says, "behind in "+strings.Join(i.Behind, ", ")), doubt
	}
	if i.Duplicate {
		says, c = append(says, "TWIN: another that lives has this name"), bad
	}
	if i.Silent {
		says, c = append(says, "unseen for "+spoken(time.Duration(i.Unseen))+", may still serve"), bad
	}
	if len(says) == 0 {
		return cell{"up to date", c}
	}
	return cell{strings.Join(says, "; "), c}
}

// adviceOn says what to do about what is wrong with instances, once for each name.
func adviceOn(instances []control.Instance) []string {
	var advice []string
	add := func(text string) {
		if !slices.Contains(advice, text) {
			advice = append(advice, text)
		}
	}
	for _, i := range instances {
		switch {
		case i.Duplicate:
			add(nameApart(i.Name))
		case i.Silent && !i.Replaced:
			add(fmt.Sprintf("if %[1]s is gone for good: `split forget --instance %[1]s`", i.Name))
		}
	}
	return advice
}

// nameApart says what to do about a name that several proxies have.
func nameApart(name string) string {
	return "several proxies call themselves " + name + ": give each its own name (instance NAME)"
}
