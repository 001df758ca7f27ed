package alert

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/switchback-proxy/switchback/health"
)

// maxStreams is how many of a verdict's streams a message shows: the strongest.
const maxStreams = 3

// numbers says in one line what a verdict rests on; empty if the evidence is none, or of another kind.
func numbers(evidence json.RawMessage) string {
	var v health.Verdict
	if len(evidence) == 0 || json.Unmarshal(evidence, &v) != nil {
		return ""
	}
	var parts []string
	for _, s := range v.Streams[:min(len(v.Streams), maxStreams)] {
		parts = append(parts, streamText(s))
	}
	if v.Threshold > 0 {
		parts = append(parts, fmt.Sprintf("evidence %.3g, failed back at %.3g", v.Evidence, v.Threshold))
	}
	return strings.Join(parts, "; ")
}

func streamText(s health.StreamVerdict) string {
	text := fmt.Sprintf("%s: canary %s", s.Stream, rateText(s.Canary))
	if s.Limit > 0 {
		return fmt.Sprintf("%s, limit %.3g%%", text, 100*s.Limit)
	}
	return text + ", stable " + rateText(s.Baseline)
}

func rateText(r health.Rate) string {
	return fmt.Sprintf("%.3g%% of %.0f", 100*r.Share(), r.N)
}
