package redis

import (
	"context"
	_ "embed"
	"fmt"

	goredis "github.com/redis/go-redis/v9"
)

var (
	//go:embed scripts/append.lua
	appendSource string
	//go:embed scripts/swap.lua
	swapSource string
	//go:embed scripts/record.lua
	recordSource string
	//go:embed scripts/claim.lua
	claimSource string
	//go:embed scripts/pulse.lua
	pulseSource string
	//go:embed scripts/leave.lua
	leaveSource string
	//go:embed scripts/put.lua
	putSource string
	//go:embed scripts/seal.lua
	sealSource string
	//go:embed scripts/judge.lua
	judgeSource string
	//go:embed scripts/windows.lua
	windowsSource string
	//go:embed scripts/secret.lua
	secretSource string

	swapScript    = goredis.NewScript(appendSource + swapSource)
	recordScript  = goredis.NewScript(appendSource + recordSource)
	claimScript   = goredis.NewScript(claimSource)
	pulseScript   = goredis.NewScript(pulseSource)
	leaveScript   = goredis.NewScript(leaveSource)
	putScript     = goredis.NewScript(putSource)
	sealScript    = goredis.NewScript(sealSource)
	judgeScript   = goredis.NewScript(judgeSource)
	windowsScript = goredis.NewScript(windowsSource)
	secretScript  = goredis.NewScript(secretSource)
)

// run runs a script that may run twice.
func (s *Store) run(ctx context.Context, script *goredis.Script, keys []string, args ...any) (*goredis.Cmd, error) {
	return ask(ctx, s, func(ctx context.Context) (*goredis.Cmd, error) {
		reply := script.Run(ctx, s.client, keys, args...)
		return reply, reply.Err()
	})
}

// pairs takes a flat reply {a, b, a, b, …} of strings apart.
func pairs(reply []string, each func(a, b string) error) error {
	if len(reply)%2 != 0 {
		return fmt.Errorf("reply has %d elements, an odd number", len(reply))
	}
	for i := 0; i < len(reply); i += 2 {
		if err := each(reply[i], reply[i+1]); err != nil {
			return err
		}
	}
	return nil
}
