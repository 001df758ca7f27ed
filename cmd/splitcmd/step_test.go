package splitcmd

import (
	"bytes"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// On a terminal somebody says yes to what he sees, or it is not done.
func TestStepAsks(t *testing.T) {
	for typed, agreed := range map[string]bool{"y\n": true, "YES\n": true, "n\n": false, "\n": false, "": false, "y": false} {
		api := &replay{t: t, answers: map[string]string{"GET /splits/v1/assistant": "plan", "POST /splits/v1/assistant/step": "step"}}
		server := httptest.NewServer(api)
		h := testHost()
		h.interactive = func(any) bool { return true }
		root, complaints := &cobra.Command{Use: "split", SilenceUsage: true}, new(bytes.Buffer)
		build(root, h)
		root.SetIn(strings.NewReader(typed))
		root.SetOut(new(bytes.Buffer))
		root.SetErr(complaints)
		root.SetArgs([]string{"step", "assistant", "--address", server.Listener.Addr().String()})
		err := root.Execute()
		server.Close()
		if !strings.HasPrefix(complaints.String(), "Approve step 4 of 6: 25% of the users for green? [y/N] ") {
			t.Errorf("asked %q", complaints.String())
		}
		if did := strings.Contains(api.sent.String(), `{"step":4,`); did != agreed || (err == nil) != agreed {
			t.Errorf("%q: approved = %v (%v), want %v", typed, did, err, agreed)
		}
	}
}
