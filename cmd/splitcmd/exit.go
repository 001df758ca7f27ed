package splitcmd

import (
	"errors"
	"io/fs"
	"net/http"
	"slices"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"

	"github.com/switchback-proxy/switchback/api/control"
)

// The exit codes; the package comment and the command's help explain them.
const (
	exitOK          = 0
	exitError       = 1
	exitRefused     = 2
	exitUnconfirmed = 3
	exitUnreachable = 4
	exitNotDrained  = 5
	exitUnknown     = 6
	exitNotPassed   = 7
)

// The exit codes of `status --wait`, which has only some of the others.
const (
	exitFailedBack = 2
	exitPaused     = 3
	exitTimeout    = 4
	exitAborted    = 5
)

// exitHelp is the part of the command's help that explains the exit codes.
const exitHelp = `Exit codes:
  0  done; for a change: applied by every instance
  1  the call is wrong, or something else failed
  2  refused: in cooldown, against a precondition, or not allowed as things
     are; nothing was changed
  3  done, but not confirmed by every instance: what is missing is named. Or it
     was asked for and no answer came: it may have been done
  4  the proxy or its store cannot be reached; nothing was changed
  5  drained: the variant is still in use
  6  drained: whether the variant is still in use is not known
  7  preflight: something is missing; drill: it has failed
status --wait has codes of its own: 0 promoted, 2 failed back, 3 paused,
4 the time is up, 5 aborted or rolled back, 1 as above`

// mayBeMade is the hint about a change that was sent and not answered.
const mayBeMade = "it may have been made all the same: look at `split status` before you repeat it"

// errUnconfirmed means that a change was made and that not every instance is known to have applied it.
var errUnconfirmed = errors.New("not confirmed by every instance")

// hintedError is an error that comes with what to do about it.
type hintedError struct {
	error
	hint string
}

// Unwrap returns the cause.
func (e hintedError) Unwrap() error { return e.error }

// isAnswered reports whether an error is about a change that was made, and answered, or about the answer itself.
func isAnswered(err error) bool {
	if o, ok := errors.AsType[outcome](err); ok {
		return o.cause == nil
	}
	return slices.ContainsFunc([]error{errUnconfirmed, errNotDrained, errDrainUnknown, errDrillFailed, errPreflight},
		func(answered error) bool { return errors.Is(err, answered) })
}

// exitCode returns the exit code that an error stands for.
func exitCode(err error) int {
	if err == nil {
		return exitOK
	}
	if o, ok := errors.AsType[outcome](err); ok {
		return o.code
	}
	switch {
	case errors.Is(err, errDrillFailed), errors.Is(err, errPreflight):
		return exitNotPassed
	case errors.Is(err, errNotDrained):
		return exitNotDrained
	case errors.Is(err, errDrainUnknown):
		return exitUnknown
	}
	if isAnswered(err) || errors.Is(err, control.ErrUnanswered) {
		return exitUnconfirmed
	}
	if errors.Is(err, control.ErrUnreachable) {
		return exitUnreachable
	}
	p, ok := errors.AsType[*control.Problem](err)
	if !ok {
		return exitError
	}
	if p.Kind() == "unconfirmed" {
		return exitUnconfirmed
	}
	switch p.Status {
	case http.StatusConflict, http.StatusPreconditionFailed:
		if !p.Foreign() { // who knows what something else refused
			return exitRefused
		}
	case http.StatusServiceUnavailable, http.StatusBadGateway, http.StatusGatewayTimeout:
		return exitUnreachable
	}
	return exitError
}

// hint returns what to do about an error, or "" if its text says it all.
func hint(err error) string {
	if hinted, ok := errors.AsType[hintedError](err); ok {
		return hinted.hint
	}
	if _, ok := errors.AsType[notAdminError](err); ok {
		return "is it the right --address? A site's own address will not do, and a Caddy without Switchback answers like this too"
	}
	switch {
	case errors.Is(err, control.ErrUnreachable) && errors.Is(err, fs.ErrPermission):
		return "the control socket is open to its owner and group: call as one of them, or with sudo"
	case errors.Is(err, control.ErrUnanswered):
		return mayBeMade
	case errors.Is(err, control.ErrUnreachable):
		return "is the proxy running? Name its admin address with --address (localhost:2019, unix//run/switchback/admin.sock),\n" +
			"in the variable CADDY_ADMIN, or name its configuration with --config"
	}
	p, ok := errors.AsType[*control.Problem](err)
	if !ok {
		return ""
	}
	return problemHint(p)
}

// problemHint returns what to do about what the API refused.
func problemHint(p *control.Problem) string {
	switch {
	case p.Kind() == "unknown-split":
		return "`split list` shows the splits that there are"
	case p.Kind() == "cooldown":
		return "wait until the cooldown is over, or repeat with --force"
	case p.Kind() == "stale":
		return "somebody changed it meanwhile: look at `split status`, then decide again"
	case p.Kind() == "step":
		return "the rollout has gone on meanwhile: look at `split status`, then decide again"
	case p.Kind() == "unconfirmed":
		return mayBeMade
	case p.Kind() == "unknown-instance":
		return "`split instances` shows the instances that there are"
	case p.Kind() == "unavailable":
		return "traffic goes on by what the proxy knew last. A kill works without the store"
	case p.Kind() == "" && p.Status == http.StatusForbidden:
		return "Caddy's admin endpoint refused the call: is the address among its `origins`?"
	}
	return ""
}

// caddyExit ends a cobra command with a code, the way Caddy's main understands it.
func caddyExit(cmd *cobra.Command, code int) error {
	cmd.SilenceErrors = true // printed already, with a hint
	if code == exitError {
		return errors.New("failed")
	}
	run := caddycmd.WrapCommandFuncForCobra(func(caddycmd.Flags) (int, error) { return code, nil })
	return run(cmd, nil)
}
