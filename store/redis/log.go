package redis

import (
	"context"
	"fmt"
	"log/slog"
	"sync"

	goredis "github.com/redis/go-redis/v9"
)

// clientLog takes the client's own lines.
type clientLog struct{ logger *slog.Logger }

// Printf logs a line.
func (l clientLog) Printf(ctx context.Context, format string, v ...any) {
	l.logger.DebugContext(ctx, fmt.Sprintf(format, v...), "store", "redis")
}

var quietOnce sync.Once

// quietClient sends to the log, as debug messages, what the client library would print on standard error: a line for
// every dial that fails, which its callers are told anyway. The library has one logger per process; it gets that of
// the first store.
func quietClient(logger *slog.Logger) {
	quietOnce.Do(func() { goredis.SetLogger(clientLog{logger}) })
}
