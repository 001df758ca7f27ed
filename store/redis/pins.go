package redis

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	goredis "github.com/redis/go-redis/v9"

	"github.com/switchback-proxy/switchback/splitter"
	"github.com/switchback-proxy/switchback/store"
)

// pinPoolSize is how many pins are looked for at once; further ones wait for a connection, as long as they may.
const pinPoolSize = 16

// KeepPins is one pipeline. What it wrote before an error stays.
func (s *Store) KeepPins(ctx context.Context, split string, pins []store.Pin) error {
	_, err := ask(ctx, s, func(ctx context.Context) (struct{}, error) {
		replies, err := s.pins.Pipelined(ctx, func(pipe goredis.Pipeliner) error {
			for _, p := range pins {
				args := goredis.SetArgs{TTL: p.Keep}
				if p.IfNone {
					args.Mode = "NX"
				}
				pipe.SetArgs(ctx, s.keys.pin(split, p.ID), encodePin(p.Pin), args)
			}
			return nil
		})
		for _, reply := range replies {
			// Nil is no error: there was one already that is to stay. An error behind it is one.
			if err := reply.Err(); err != nil && !errors.Is(err, goredis.Nil) {
				return struct{}{}, err
			}
		}
		if errors.Is(err, goredis.Nil) {
			err = nil
		}
		return struct{}{}, err
	})
	return err
}

// FindPin is one command, and one try: who asks has little time, and asks again with the next turn.
func (s *Store) FindPin(ctx context.Context, split string, ids ...string) (splitter.Pin, bool, error) {
	names := make([]string, len(ids))
	for i, id := range ids {
		names[i] = s.keys.pin(split, id)
	}
	ctx, cancel, err := s.bound(ctx)
	if err != nil {
		return splitter.Pin{}, false, err
	}
	defer cancel()
	values, err := s.pins.MGet(ctx, names...).Result()
	if err != nil {
		return splitter.Pin{}, false, s.unavailable(err)
	}
	for i, value := range values {
		if text, ok := value.(string); ok {
			p, err := decodePin(text)
			if err != nil {
				return splitter.Pin{}, false, corrupt(names[i], err)
			}
			return p, true, nil
		}
	}
	return splitter.Pin{}, false, nil
}

// encodePin writes a pin as people can read it: its epoch and its variant.
func encodePin(p splitter.Pin) string { return strconv.FormatUint(p.Epoch, 10) + " " + p.Variant }

// decodePin reads what encodePin wrote.
func decodePin(text string) (splitter.Pin, error) {
	number, variant, _ := strings.Cut(text, " ")
	epoch, err := strconv.ParseUint(number, 10, 64)
	if err != nil || !splitter.ValidName(variant) {
		return splitter.Pin{}, fmt.Errorf("pin %.80q: must be an epoch and a variant", text)
	}
	return splitter.Pin{Variant: variant, Epoch: epoch}, nil
}
