package splitcmd

import (
	"bytes"
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/switchback-proxy/switchback/api/control"
)

func exportCommand(h host) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "export [<split>...]",
		Short: "Writes splits' states, as the store has them, to a file or the standard output",
		Long: `Writes splits' states, as the store has them, to a file or the standard output:
the named ones, or all, those included that no proxy runs. The document is for
` + "`split import`" + `, for a backup, or for looking at it.`,
		Example: h.examples(`split export -o splits.json`, `split export assistant`),
		Args:    cobra.ArbitraryArgs,
	}
	output := cmd.Flags().StringP("output", "o", "-", "`file` to write, with mode 0600; one that is there is replaced as a whole")
	cmd.RunE = h.run(func(ctx context.Context, s *session, args []string) error {
		document, raw, err := s.export(ctx, args)
		if err != nil {
			return saysItAll(err)
		}
		if *output == "-" {
			_, err := s.out.Write(raw)
			return err
		}
		if err := replaceFile(*output, raw); err != nil {
			return err
		}
		if !s.json {
			fmt.Fprintf(s.out, "%s in %s\n", plural(len(document.States), "split"), printable(*output))
		}
		return nil
	})
	return cmd
}

// export returns what the store has of the named splits, or of all, as read and to the letter: what a newer release
// says in the document must not be lost on the way to the file.
func (s *session) export(ctx context.Context, splits []string) (control.Export, []byte, error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	var raw []byte
	document, err := s.client.WithTap(func(body []byte) { raw = bytes.Clone(body) }).Export(ctx, splits...)
	return document, raw, err
}
