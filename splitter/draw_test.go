package splitter_test

import (
	"encoding/json"
	"slices"
	"time"

	"pgregory.net/rapid"

	"github.com/switchback-proxy/switchback/splitter"
)

// drawFirst draws a State that has only what the first release of schema 1 knew.
func drawFirst(t *rapid.T) *splitter.State {
	names := []string{"blue", "green", "grey"}
	ranges, err := splitter.Layout(drawShares(t, names), "green")
	if err != nil {
		t.Fatal(err)
	}
	s := &splitter.State{
		Schema:     splitter.Schema,
		Split:      "assistant",
		Version:    drawVersion(t, 2, 1<<63),
		Parent:     rapid.SampledFrom([]string{"", "p", `<"p">`}).Draw(t, "parent"),
		Epoch:      rapid.Uint64().Draw(t, "epoch"),
		Salt:       rapid.StringN(1, 20, -1).Draw(t, "salt"),
		Stable:     "blue",
		Canary:     rapid.SampledFrom([]string{"", "green"}).Draw(t, "canary"),
		Ranges:     ranges,
		Superseded: rapid.MapOfN(rapid.SampledFrom(names), rapid.SliceOfN(rapid.String(), 1, 2), 0, 3).Draw(t, "superseded"),
		Declared:   rapid.MapOfN(rapid.SampledFrom(names), rapid.String(), 0, 3).Draw(t, "declared"),
		Kills:      rapid.SliceOfN(rapid.Custom(drawKill), 0, 3).Draw(t, "kills"),
		Revived:    rapid.SliceOfN(rapid.Custom(drawRevival), 0, 3).Draw(t, "revived"),
		Cooldown:   splitter.Cooldown{Until: drawTime(t), Failbacks: rapid.IntMin(0).Draw(t, "failbacks")},
		Changed:    splitter.Change{Kind: drawText(t), Actor: drawText(t), Via: drawText(t), At: drawTime(t), Reason: drawText(t)},
	}
	s.Progress.Phase = rapid.SampledFrom([]splitter.Phase{
		splitter.PhaseIdle, splitter.PhaseTrial, splitter.PhaseFailedBack, splitter.PhaseUnknown,
	}).Draw(t, "phase")
	s.Progress.Since, s.Progress.Why = drawTime(t), drawText(t)
	if rapid.Bool().Draw(t, "has a policy") {
		s.Policy = drawJSON(t)
	}
	return s
}

// drawState draws a State with all that this release knows.
func drawState(t *rapid.T) *splitter.State {
	s := drawFirst(t)
	for revision := s.Revision; revision > 1 && len(s.Lineage) < 40 && rapid.IntRange(0, 9).Draw(t, "root") > 0; {
		v := drawVersion(t, 1, revision-1)
		s.Lineage, revision = append(s.Lineage, v), v.Revision
	}
	for range rapid.IntRange(0, 2).Draw(t, "placed by") {
		s.Placed = append(s.Placed, drawVersion(t, 1, s.Revision-1))
	}
	s.Moved = rapid.SliceOfN(rapid.Custom(drawMove), 0, 3).Draw(t, "moved")
	s.Began, s.Forgotten = drawTime(t), drawTime(t)
	s.Progress.Suspected = drawText(t)
	s.Drilled = splitter.Drilled{At: drawTime(t), By: drawText(t)}
	s.DrillFailed = splitter.FailedDrill{At: drawTime(t), By: drawText(t), Step: drawText(t), Why: drawText(t)}
	if rapid.Bool().Draw(t, "keeps a trickle") {
		keeps := rapid.Uint32Range(1, splitter.Buckets/2).Draw(t, "keeps")
		s.Trickle = &splitter.Trickle{Epoch: s.Epoch, Keeps: splitter.Weight(keeps), Until: drawTime(t),
			Then: splitter.Weight(rapid.Uint32Range(1, keeps).Draw(t, "then"))}
	}
	if rapid.Bool().Draw(t, "probes") {
		lent := drawMove(t)
		s.Probe = &splitter.Probe{Epoch: s.Epoch, Since: drawTime(t), Until: drawTime(t), Why: drawText(t),
			Lent: []splitter.Span{{From: lent.From, To: lent.To}}, Holds: splitter.Weight(lent.To - lent.From)}
	}
	for i := range s.Kills {
		drawGentle(t, &s.Kills[i])
	}
	drawRollout(t, s)
	return s
}

// drawRollout draws what a rollout by a plan leaves in a State.
func drawRollout(t *rapid.T, s *splitter.State) {
	if rapid.Bool().Draw(t, "has a plan") {
		s.Plan = drawJSON(t)
	}
	s.Progress.Step, s.Progress.Approved = rapid.IntMin(0).Draw(t, "step"), rapid.IntMin(0).Draw(t, "approved")
	s.Progress.Reached = drawTime(t)
	s.Progress.Ended = rapid.SampledFrom([]splitter.Ending{"", splitter.EndPromoted, splitter.EndAborted, splitter.EndRolledBack,
		"of a newer release"}).Draw(t, "ended")
	if rapid.Bool().Draw(t, "is paused") {
		s.Progress.Paused = &splitter.Pause{Actor: drawText(t), Reason: drawText(t), At: drawTime(t), Failed: rapid.Bool().Draw(t, "failed")}
	}
	s.Progress.JudgedSince = drawTime(t)
	for range rapid.IntRange(0, splitter.KeptPromotions).Draw(t, "promotions") {
		s.Promotions = append(s.Promotions, splitter.Promotion{Variant: "blue", Version: drawText(t), Before: "green",
			BeforeVersion: drawText(t), At: drawTime(t)})
	}
	if rapid.Bool().Draw(t, "was left") {
		s.Left = splitter.Left{Variant: "green", Kind: drawText(t), Actor: drawText(t), At: drawTime(t)}
	}
	s.Retired = rapid.SampledFrom([][]string{nil, {"gone"}, {"gone", "grey"}}).Draw(t, "retired")
	if rapid.Bool().Draw(t, "drills") {
		users := rapid.SliceOfNDistinct(rapid.StringN(1, 9, -1), 1, 3, rapid.ID).Draw(t, "users")
		s.Drill = &splitter.Drill{ID: "d", Variant: "green", Users: slices.Sorted(slices.Values(users)), Until: drawTime(t)}
	}
}

// drawGentle gives a kill what the first release did not know, or not.
func drawGentle(t *rapid.T, k *splitter.Kill) {
	if rapid.Bool().Draw(t, "drains") {
		k.Level, k.Deadline = splitter.KillDrain, drawTime(t)
	}
	k.Rate = splitter.Rate(rapid.Uint32().Draw(t, "rate"))
}

func drawVersion(t *rapid.T, lowest, highest uint64) splitter.Version {
	return splitter.Version{
		Revision: rapid.Uint64Range(lowest, highest).Draw(t, "revision"),
		ID:       rapid.StringN(1, 9, -1).Draw(t, "id"),
	}
}

func drawKill(t *rapid.T) splitter.Kill {
	return splitter.Kill{
		ID:      rapid.StringN(1, 9, -1).Draw(t, "kill"),
		Variant: rapid.SampledFrom([]string{"", "green", "gone"}).Draw(t, "killed"),
		Level:   rapid.SampledFrom([]splitter.KillLevel{splitter.KillRequests, splitter.KillCut}).Draw(t, "level"),
		Reason:  drawText(t),
		Actor:   drawText(t),
		Via:     drawText(t),
		At:      drawTime(t),
	}
}

func drawMove(t *rapid.T) splitter.Move {
	m := splitter.Move{At: drawTime(t), Salt: drawText(t), Failed: rapid.Bool().Draw(t, "failed")}
	m.From = rapid.Uint32Range(0, splitter.Buckets-1).Draw(t, "from")
	m.To = rapid.Uint32Range(m.From+1, splitter.Buckets).Draw(t, "to")
	m.Variant = rapid.SampledFrom([]string{"blue", "green", "gone"}).Draw(t, "moved from")
	return m
}

func drawRevival(t *rapid.T) splitter.Revival {
	return splitter.Revival{ID: drawText(t), At: drawTime(t)}
}

func drawText(t *rapid.T) string { return rapid.String().Draw(t, "text") }

// drawTime draws no time, or one in some zone.
func drawTime(t *rapid.T) time.Time {
	if rapid.Bool().Draw(t, "is zero") {
		return time.Time{}
	}
	zone := time.FixedZone("", 60*rapid.IntRange(-12*60, 14*60).Draw(t, "minutes east"))
	seconds := rapid.Int64Range(0, 4_000_000_000).Draw(t, "seconds")
	return time.Unix(seconds, rapid.Int64Range(0, 999_999_999).Draw(t, "nanoseconds")).In(zone)
}

// drawJSON draws a JSON object, as this release writes one.
func drawJSON(t *rapid.T) json.RawMessage {
	object := rapid.MapOfN(rapid.String(), rapid.Custom(drawValue), 0, 3).Draw(t, "object")
	data, err := json.Marshal(object)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// drawValue draws a JSON value of one of many types, and numbers that no Go type holds.
func drawValue(t *rapid.T) any {
	number := json.Number(rapid.StringMatching(`-?(0|[1-9][0-9]{0,24})(\.[0-9]{1,3})?([eE][+-]?[0-9]{1,3})?`).Draw(t, "number"))
	text := drawText(t)
	return rapid.SampledFrom([]any{
		nil, false, true, number, text, []any{number, text}, map[string]any{text: number}, []int{}, map[string]int{},
	}).Draw(t, "value")
}
