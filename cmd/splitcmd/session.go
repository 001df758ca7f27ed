package splitcmd

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/switchback-proxy/switchback/api/control"
)

// session is one call of a sub-command.
type session struct {
	cmd    *cobra.Command
	client *control.Client
	// address is the admin address that the client calls, as the user wrote it.
	address string
	out     io.Writer
	// json means that one JSON document is printed, and nothing else.
	json bool
	// document is what is printed then: the last answer as it came, unless the sub-command has made one of its own.
	document []byte
	// told means that document says what went wrong, too.
	told bool
	look look
}

// action is what a sub-command does.
type action func(ctx context.Context, s *session, args []string) error

// run returns the function of a sub-command that asks a proxy.
func (h host) run(do action) func(*cobra.Command, []string) error {
	return h.runAlone(func(ctx context.Context, s *session, args []string) error { return s.do(ctx, args, do) })
}

// runAlone returns the function of a sub-command that asks nobody: it makes the session, does the action, prints what
// went wrong with a hint, and ends with the right exit code.
func (h host) runAlone(do action) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		asJSON, err := cmd.Flags().GetBool("json")
		if err != nil {
			return err
		}
		s := h.open(cmd, asJSON)
		return h.end(s, do(cmd.Context(), s, args))
	}
}

// open returns a session that is not connected yet.
func (h host) open(cmd *cobra.Command, asJSON bool) *session {
	s := &session{cmd: cmd, out: cmd.OutOrStdout(), json: asJSON}
	s.look = look{zone: h.zone, colours: coloured(s.out, h.getenv)}
	return s
}

func (s *session) do(ctx context.Context, args []string, do action) error {
	client, address, err := connect(s.cmd)
	if err != nil {
		return err
	}
	s.client, s.address = client, address
	if s.json {
		s.client = client.WithTap(func(body []byte) { s.document = body })
	}
	return notAdmin(address, do(ctx, s, args))
}

// end prints how a call ended, and returns what Caddy's main makes the exit code of.
func (h host) end(s *session, err error) error {
	s.printDocument(err)
	if err == nil {
		return nil
	}
	fmt.Fprintf(s.cmd.ErrOrStderr(), "Error: %s\n", printable(once(err.Error())))
	if text := hint(err); text != "" {
		fmt.Fprintf(s.cmd.ErrOrStderr(), "Hint: %s\n", text)
	}
	return h.exit(s.cmd, exitCode(err))
}

// printDocument prints the document that --json asks for. What went wrong is one too, so that a program always gets one;
// a change that not everybody has confirmed was answered all the same.
func (s *session) printDocument(err error) {
	if !s.json {
		return
	}
	if !s.told {
		s.document = s.outcome(err)
	}
	if len(s.document) > 0 {
		s.printJSON(s.document)
	}
	s.document = nil
}

// outcome returns the last answer, or the problem that there was instead.
func (s *session) outcome(err error) json.RawMessage {
	if err == nil || isAnswered(err) {
		return s.document
	}
	return problemDocument(err)
}

// setDocument makes v what --json prints.
func (s *session) setDocument(v any) error {
	document, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encoding the answer: %w", err)
	}
	s.document = document
	return nil
}

// problemDocument returns an error as a problem document.
func problemDocument(err error) json.RawMessage {
	document, failed := json.Marshal(control.CallProblem(err))
	if failed != nil { // which strings and a number cannot cause
		return nil
	}
	return document
}

// printJSON prints a document, indented.
func (s *session) printJSON(document []byte) {
	var indented bytes.Buffer
	if json.Indent(&indented, bytes.TrimSpace(document), "", "  ") == nil {
		fmt.Fprintln(s.out, indented.String())
	}
}
