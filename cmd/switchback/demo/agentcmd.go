package demo

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/spf13/cobra"
)

// agentCommand returns the command `demo agent`.
func agentCommand() *cobra.Command {
	var listen, name string
	var fail float64
	var delay time.Duration
	cmd := &cobra.Command{
		Use:   "agent",
		Short: "Runs one stand-in agent that streams tokens",
		Long: `Runs one stand-in for a version of an AI agent. It answers every request with a
short stream of chunks as OpenAI's chat completions have them, and names itself
in the response header ` + versionHeader + `. How many of its answers fail can be
changed while it runs: curl -X PUT 'http://localhost:8000` + failPath + `?rate=0.5'`,
		Args: cobra.NoArgs,
	}
	f := cmd.Flags()
	f.StringVar(&listen, "listen", "127.0.0.1:8000", "address to listen on")
	f.StringVar(&name, "name", "", "name of the version; required")
	f.Float64Var(&fail, "fail", 0, "share of answers that fail, from 0 to 1")
	f.DurationVar(&delay, "token-delay", 20*time.Millisecond, "mean time between two words")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if name == "" {
			return errors.New("--name is required: the version that the agent stands in for, such as blue")
		}
		if delay < 0 {
			return fmt.Errorf("--token-delay %s: must not be negative", delay)
		}
		a := newAgent(name, delay)
		if err := a.setFailRate(fail); err != nil {
			return fmt.Errorf("--fail: %w", err)
		}
		ctx, stop := untilSignal(cmd)
		defer stop()
		return runAgent(ctx, cmd, a, listen)
	}
	return cmd
}

// runAgent serves an agent until ctx is done.
func runAgent(ctx context.Context, cmd *cobra.Command, a *agent, address string) error {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return fmt.Errorf("--listen: %w", err)
	}
	fmt.Fprintf(cmd.OutOrStdout(), "agent %s answers on %s\n", a.name, listener.Addr())
	return serve(ctx, listener, a)
}
