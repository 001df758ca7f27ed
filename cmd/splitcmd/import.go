package splitcmd

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/switchback-proxy/switchback/api/control"
	"github.com/switchback-proxy/switchback/splitter"
)

// oneFile wants the file to import.
func oneFile(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return fmt.Errorf("which file? %s FILE, or - for the standard input", cmd.CommandPath())
	}
	return atMost(1)(cmd, args)
}

// importing is how `split import` was called.
type importing struct {
	terms
	only   []string
	force  bool
	dryRun bool
}

func importCommand(h host) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "import (<file> | -)",
		Short: "Writes exported states over what the store has",
		Long: `Writes exported states over what the store has, or where it has none: each as a
change of its own, one after the other, up to the first that is refused. Each
begins a new epoch. Kills of both the file and the store hold, but for those
that either knows to be lifted. The exit code is that of the refused one; what was
imported before it is printed. With --json that is one array of answers, the last
of them the refusal.`,
		Example: h.examples(`split import splits.json --dry-run`,
			`split import splits.json --only assistant --reason "Redis came back empty"`),
		Args: oneFile,
	}
	i := &importing{terms: terms{host: h}}
	i.addFlags(cmd)
	f := cmd.Flags()
	f.StringSliceVar(&i.only, "only", nil, "import the states of these splits only")
	f.BoolVar(&i.force, "force", false, "import a state whose stable variant the proxy's file lacks")
	f.BoolVar(&i.dryRun, "dry-run", false, "show what would change, and change nothing")
	cmd.RunE = h.run(func(ctx context.Context, s *session, args []string) error {
		states, err := readExport(args[0], cmd.InOrStdin(), i.only)
		if err != nil {
			return err
		}
		if i.version != "" && len(states) > 1 {
			return fmt.Errorf("--if %s is about one split, and there are %d to import: choose one by --only", i.version, len(states))
		}
		if i.dryRun {
			return s.planImport(ctx, states)
		}
		documents, err := i.all(ctx, s, states)
		if !s.json || len(documents) == 0 {
			return err
		}
		s.told = true
		return errors.Join(err, s.setDocument(documents))
	})
	return cmd
}

// all imports one state after the other. One that is made and not confirmed does not end it; every other failure does, and
// what was not tried is named. The documents are what was answered to each, or the problem that ended it.
func (i *importing) all(ctx context.Context, s *session, states []*splitter.State) (documents []json.RawMessage, err error) {
	options, err := i.options()
	if err != nil {
		return nil, err
	}
	var unconfirmed error
	for n, state := range states {
		err := i.one(ctx, s, state, options)
		documents = append(documents, s.outcome(err))
		switch {
		case isAnswered(err):
			unconfirmed = errors.Join(unconfirmed, fmt.Errorf("%s: %w", state.Split, err))
		case err != nil:
			return documents, notTried(states[n+1:], fmt.Errorf("%s: %w", state.Split, err))
		}
	}
	return documents, unconfirmed
}

// one imports one state.
func (i *importing) one(ctx context.Context, s *session, state *splitter.State, o []control.Option) error {
	ctx, cancel := context.WithTimeout(ctx, changeTimeout+i.wait)
	defer cancel()
	r := control.ImportRequest{State: state, Force: i.force, Claim: i.claim()}
	answer, err := s.client.Import(ctx, state.Split, r, o...)
	if err != nil {
		return err
	}
	if !s.json {
		s.printChange(answer)
	}
	return confirmed(answer, i.wait, s.address)
}

// notTried adds to an error the splits that were not tried any more because of it.
func notTried(states []*splitter.State, err error) error {
	if len(states) == 0 {
		return err
	}
	return fmt.Errorf("%w (not tried any more: %s)", err, strings.Join(splitsOf(states), ", "))
}
