package splitcmd

import (
	"bufio"
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
)

var update = flag.Bool("update", false, "rewrite the transcripts")

// recorded is where the API's own tests keep what it answers; the transcripts replay it.
const recorded = "../../api/control/testdata"

// TestTranscripts plays the command line against recorded answers of the API. In a transcript
//
//	answer PATCH /splits/v1/assistant/weights weights
//	$ split weight assistant green=10%
//
// says what the API answers and what is typed; below it stands what the command sent (>), printed, complained about
// (!), and its exit code if that is not 0.
func TestTranscripts(t *testing.T) {
	paths, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no transcripts: %v", err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txt"), func(t *testing.T) {
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			got := play(t, string(want))
			if *update {
				if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", path, diff)
			}
		})
	}
}

// play types what a transcript says and returns what it should have been.
func play(t *testing.T, transcript string) string {
	t.Helper()
	api := &replay{t: t, answers: map[string]string{}}
	server := httptest.NewServer(api)
	defer server.Close()
	var b strings.Builder
	for line := range strings.Lines(transcript) {
		typed, isCommand := strings.CutPrefix(line, "$ split ")
		switch fields := strings.Fields(line); {
		case isCommand:
			b.WriteString(line)
			b.WriteString(run(api, server.Listener.Addr().String(), words(typed)))
			b.WriteString("\n")
		case len(fields) == 4 && fields[0] == "answer":
			api.answers[fields[1]+" "+fields[2]] = fields[3]
			b.WriteString(line)
		case strings.HasPrefix(line, "#"):
			b.WriteString(line)
		}
	}
	return b.String()
}

// words splits what is typed as a shell would, as far as double quotes go.
func words(typed string) []string {
	var args []string
	for i, part := range strings.Split(strings.TrimSpace(typed), `"`) {
		if i%2 == 1 {
			args = append(args, part)
			continue
		}
		args = append(args, strings.Fields(part)...)
	}
	return args
}

// errExit is what the command ends with in tests.
type errExit int

func (e errExit) Error() string { return "exit " + strconv.Itoa(int(e)) }

// testHost is a machine on which alice works.
func testHost() host {
	return host{
		binary:   "switchback",
		exit:     func(cmd *cobra.Command, code int) error { cmd.SilenceErrors = true; return errExit(code) },
		zone:     time.UTC,
		getenv:   func(name string) string { return map[string]string{"USER": "alice"}[name] },
		hostname: func() (string, error) { return "laptop", nil },

		interactive: func(any) bool { return false },
	}
}

// run runs the command and returns what it sent, said and ended with.
func run(api *replay, address string, args []string) string {
	var out, complaints bytes.Buffer
	root := &cobra.Command{Use: "split", SilenceUsage: true}
	h := testHost()
	h.args = args
	build(root, h)
	root.SetOut(&out)
	root.SetErr(&complaints)
	root.SetArgs(append(args, "--address", address))
	api.sent.Reset()
	err := root.Execute()
	said := api.sent.String() + out.String() + prefixed("! ", &complaints)
	code, ok := errors.AsType[errExit](err)
	switch {
	case ok:
		said += fmt.Sprintf("[exit %d]\n", code)
	case err != nil:
		said += "[exit 1]\n"
	}
	return strings.ReplaceAll(said, address, "ADDRESS")
}

// prefixed returns r's lines, each with a prefix.
func prefixed(prefix string, r io.Reader) string {
	var b strings.Builder
	for s := bufio.NewScanner(r); s.Scan(); {
		b.WriteString(prefix + s.Text() + "\n")
	}
	return b.String()
}

// replay answers with what the API's tests have recorded, and writes down what it is sent.
type replay struct {
	t       *testing.T
	answers map[string]string // by method and path
	sent    bytes.Buffer
}

func (p *replay) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	fmt.Fprintf(&p.sent, "> %s %s\n", r.Method, r.URL.RequestURI())
	if tag := r.Header.Get("If-Match"); tag != "" {
		fmt.Fprintf(&p.sent, "> If-Match: %s\n", tag)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		p.t.Error(err)
	}
	if len(body) > 0 {
		fmt.Fprintf(&p.sent, "> %s\n", body)
	}
	name, found := p.answers[r.Method+" "+r.URL.Path]
	if !found {
		http.NotFound(w, r)
		return
	}
	answer, err := os.ReadFile(filepath.Join(recorded, name+".http"))
	if err != nil {
		p.t.Error(err)
		return
	}
	head, content, _ := strings.Cut(string(answer), "\n\n")
	status, err := strconv.Atoi(head[:3])
	if err != nil {
		p.t.Error(err)
	}
	w.WriteHeader(status)
	if _, err := io.WriteString(w, content); err != nil {
		p.t.Error(err)
	}
}
