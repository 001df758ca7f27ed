package splitcmd

import (
	"bytes"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// A rollout that cannot be played ends like every other call that fails: with --json, too.
func TestJudge(t *testing.T) {
	const start, tick = `{"type":"start","groups":1}`, `{"type":"tick","t":1,"dt":1,"warmup":true}`
	const ok = `{"decision":"ok"}` + "\n"
	tests := []struct {
		name, in string
		args     []string
		stdout   string
		stderr   string
	}{
		{"played", start + "\n" + tick, nil, ok, ""},
		{"as JSON", start + "\n" + tick, []string{"--json"}, ok, ""},
		{"no start", tick, nil, "", "Error: line 1: a tick before any start\n"},
		{"no start, as JSON", tick, []string{"--json"}, `{
  "type": "urn:switchback:problem:invalid",
  "title": "Invalid request",
  "detail": "line 1: a tick before any start"
}
`, "Error: line 1: a tick before any start\n"},
		{"arguments", "", []string{"rollout.jsonl"}, "", "Error: \"rollout.jsonl\": split judge takes no arguments\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var out, complaints bytes.Buffer
			root := &cobra.Command{Use: "split", SilenceUsage: true}
			build(root, testHost())
			root.SetIn(strings.NewReader(tt.in))
			root.SetOut(&out)
			root.SetErr(&complaints)
			root.SetArgs(append([]string{"judge"}, tt.args...))
			err := root.Execute()
			if out.String() != tt.stdout || complaints.String() != tt.stderr || (err != nil) != (tt.stderr != "") {
				t.Errorf("got %q, complaints %q, error %v; want %q, %q", out.String(), complaints.String(), err, tt.stdout, tt.stderr)
			}
		})
	}
}
