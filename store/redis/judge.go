package redis

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/switchback-proxy/switchback/store"
)

// LoadJudge reads the judge's hash. One with a lease only has no state yet.
func (s *Store) LoadJudge(ctx context.Context, split string) (store.JudgeState, error) {
	key := s.keys.judge(split)
	values, err := ask(ctx, s, func(ctx context.Context) ([]any, error) {
		return s.client.HMGet(ctx, key, "version", "epoch", "folded", "late", "doc", "summary").Result()
	})
	if err != nil || values[0] == nil {
		return store.JudgeState{}, err
	}
	state, err := parseJudge(values)
	if err != nil {
		return store.JudgeState{Version: state.Version}, corrupt(key, err)
	}
	return state, nil
}

// parseJudge reads version, epoch, folded, late, doc and summary. Where the version cannot be read, it is 0: scripts take
// such a state for none. The version is returned with an error too.
func parseJudge(values []any) (store.JudgeState, error) {
	var texts [6]string
	for i, value := range values {
		texts[i], _ = value.(string)
	}
	state := store.JudgeState{Doc: []byte(texts[4]), Summary: textOrNil(texts[5])}
	for i, field := range []struct {
		name string
		to   *uint64
	}{{"version", &state.Version}, {"epoch", &state.Epoch}, {"folded", new(uint64)}, {"late", &state.Late}} {
		if field.name == "late" && texts[i] == "" {
			continue // none was
		}
		n, err := parseNumber(field.name, texts[i])
		if err != nil {
			return state, err
		}
		if *field.to = n; field.name == "folded" {
			state.Folded = int64(n)
		}
	}
	if values[4] == nil {
		return state, errors.New("field doc is missing")
	}
	return state, nil
}

// parseNumber reads a field that is a whole number.
func parseNumber(field, text string) (uint64, error) {
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil || n > 1<<53 {
		return 0, fmt.Errorf("field %s %.40q: must be a whole number of at most 2^53", field, text)
	}
	return n, nil
}

// SwapJudges is one script for each swap, in one pipeline.
func (s *Store) SwapJudges(ctx context.Context, swaps []store.JudgeSwap) []error {
	_, errs := batch(ctx, s, swaps, func(swap store.JudgeSwap) (call, error) {
		return s.judgeCall(swap), store.CheckJudge(swap)
	}, s.keys.judgeSwapped)
	return errs
}

// judgeCall is the script that swaps a judge's state.
func (s *Store) judgeCall(swap store.JudgeSwap) call {
	names := []string{s.keys.judge(swap.Split)}
	for _, second := range swap.Cleared() {
		names = append(names, s.keys.evidence(swap.Split, swap.Next.Epoch, second))
	}
	next := swap.Next
	return call{judgeScript, names, []any{swap.Prev.Version, next.Version, next.Epoch, next.Folded, next.Doc, next.Summary,
		int(store.JudgeKept.Seconds())}}
}

// judgeSwapped reads {} if the state was written, and else the {version, epoch, folded} that are stored.
func (k keys) judgeSwapped(swap store.JudgeSwap, reply any) (struct{}, error) {
	texts, err := stringsOf(reply)
	if err != nil || len(texts) == 0 {
		return struct{}{}, err
	}
	if len(texts) != 3 {
		return struct{}{}, unexpected(reply)
	}
	var numbers [3]uint64
	for i, field := range []string{"version", "epoch", "folded"} {
		if numbers[i], err = parseNumber(field, texts[i]); err != nil {
			return struct{}{}, corrupt(k.judge(swap.Split), err)
		}
	}
	return struct{}{}, store.JudgeConflict(swap, store.JudgeState{Version: numbers[0], Epoch: numbers[1],
		Folded: int64(numbers[2])})
}

// clearJudge removes what was gathered on a split that is given up. Of a server that does not answer it expires.
func (s *Store) clearJudge(ctx context.Context, split string, epoch uint64) {
	_, err := ask(ctx, s, func(ctx context.Context) (int64, error) {
		return s.client.Unlink(ctx, s.keys.judge(split), s.keys.windows(split, epoch)).Result()
	})
	if err != nil {
		s.logger.Warn("the judge's state of a split that was given up is left to expire", "split", split, "error", err)
	}
}
