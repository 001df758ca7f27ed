package redis

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"github.com/switchback-proxy/switchback/store"
)

const (
	// callTimeout bounds every call, whatever the caller's context allows: a control plane that hangs is down.
	callTimeout = 1500 * time.Millisecond
	// ioTimeout bounds each dial, read and write, so that there is time for one more try within callTimeout.
	ioTimeout = 500 * time.Millisecond
	// poolSize is small: a proxy makes a few calls a second.
	poolSize = 8
)

// Store is a store.Store in Redis. Open makes one.
type Store struct {
	client  goredis.UniversalClient
	pins    goredis.UniversalClient // apart, so that requests that look for a pin hold up nothing else
	keys    keys
	address string
	logger  *slog.Logger
	life    context.Context // done once the store is closed
	end     context.CancelFunc
	quiet   time.Duration // how long a subscription may be silent before it is asked whether it lives
	doubts  chan struct{} // says that a subscription is to be asked now

	claimed     claimTimes
	forgetAfter time.Duration // how long a claimant that has nothing must be silent to be forgotten

	inspector  inspector
	oddInboxes oddities
	oddStates  oddities
	oddMembers oddities
}

var _ store.Store = (*Store)(nil)

// Open returns the store that cfg describes, or what is wrong with cfg. It connects to nothing: the first call does, and
// each call says for itself whether Redis could be asked. logger gets what has no caller to go to (nil: nothing).
func Open(cfg Config, logger *slog.Logger) (*Store, error) {
	cfg, err := cfg.resolved()
	if err != nil {
		return nil, err
	}
	options, err := cfg.options()
	if err != nil {
		return nil, err
	}
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	quietClient(logger)
	client := goredis.NewUniversalClient(options)
	followTries(client)
	options.PoolSize = pinPoolSize
	life, end := context.WithCancel(context.Background())
	return &Store{
		client:  client,
		pins:    goredis.NewUniversalClient(options),
		keys:    keys{fleet: cfg.Fleet},
		address: cfg.address(),
		logger:  logger.With("store", "redis", "address", cfg.address()),
		life:    life,
		end:     end,
		quiet:   quiet,
		doubts:  make(chan struct{}, 1),

		forgetAfter: store.MemberKept,
	}, nil
}

// options translates a resolved Config.
func (c Config) options() (*goredis.UniversalOptions, error) {
	tlsConfig, err := c.tlsConfig()
	if err != nil {
		return nil, err
	}
	return &goredis.UniversalOptions{
		Addrs:            c.Addresses,
		MasterName:       c.MasterName,
		IsClusterMode:    c.Cluster,
		Username:         c.Username,
		Password:         c.Password,
		SentinelUsername: c.SentinelUsername,
		SentinelPassword: c.SentinelPassword,
		DB:               c.DB,
		TLSConfig:        tlsConfig,

		// By default the client keeps trying for seconds and lets a context's deadline pass.
		ContextTimeoutEnabled: true,
		DialTimeout:           ioTimeout,
		ReadTimeout:           ioTimeout,
		WriteTimeout:          ioTimeout,
		PoolTimeout:           ioTimeout,
		MaxRetries:            -1, // what is tried again must be known: see Store.Swap
		DialerRetries:         1,
		PoolSize:              poolSize,
		PipelinePoolSize:      -1, // a few pipelines a second need no connections of their own

		// RESP2 without greetings is what every server and every proxy before one understands.
		Protocol:                 2,
		DisableIdentity:          true,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	}, nil
}

// Describe says which servers these are, and what the last look at them found wrong.
func (s *Store) Describe() store.Description {
	return store.Description{Kind: "redis", Address: s.address, Fleet: s.keys.fleet, Warning: s.inspector.known()}
}

// Close closes all connections and ends all watches. Closing again does nothing.
func (s *Store) Close() error {
	s.end()
	closing := []error{s.client.Close(), s.pins.Close()}
	s.inspector.wait()
	for _, err := range closing {
		if err != nil && !errors.Is(err, goredis.ErrClosed) {
			return fmt.Errorf("close %s: %w", s.address, err)
		}
	}
	return nil
}

// bound gives a call its deadline, and refuses one on a closed store or with a context that is done.
func (s *Store) bound(ctx context.Context) (context.Context, context.CancelFunc, error) {
	if s.life.Err() != nil {
		return nil, nil, store.Closed()
	}
	if err := ctx.Err(); err != nil {
		return nil, nil, store.Unavailable(err)
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	return ctx, cancel, nil
}

// ask makes a call within the call's deadline, and again if it got no answer: its connection may have died while it lay
// idle. It is for what may be done twice.
func ask[T any](ctx context.Context, s *Store, call func(context.Context) (T, error)) (T, error) {
	ctx, cancel, err := s.bound(ctx)
	if err != nil {
		var none T
		return none, err
	}
	defer cancel()
	answer, err := call(ctx)
	var reply goredis.Error
	if err != nil && !errors.As(err, &reply) && ctx.Err() == nil {
		answer, err = call(ctx)
	}
	if err != nil {
		return answer, s.unavailable(err)
	}
	return answer, nil
}
