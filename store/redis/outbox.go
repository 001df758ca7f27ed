package redis

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/switchback-proxy/switchback/store"
)

// overlap is how far before its last claim here a group begins again that the server has lost, as servers' clocks differ.
const overlap = time.Minute

// claimTimes knows when the groups of the outbox were claimed last by this process, by the server's clock.
type claimTimes struct {
	mu sync.Mutex // protects following fields
	at map[string]time.Time
}

// begin returns the entry after which a group begins that the server does not have: the newest one there is, or, if the
// server had the group and has lost it, what came about when it was last claimed.
func (c *claimTimes) begin(group string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	last, ok := c.at[group]
	if !ok {
		return "$"
	}
	return strconv.FormatInt(max(0, last.Add(-overlap).UnixMilli()), 10)
}

// note keeps that a group was claimed.
func (c *claimTimes) note(group string, at time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.at == nil {
		c.at = map[string]time.Time{}
	}
	c.at[group] = at
}

// Record is one script. If its answer is lost, it is tried again as the same call, so that one of two calls is told that it
// was first.
func (s *Store) Record(ctx context.Context, ev store.Event) (bool, error) {
	if err := store.CheckEvent(ev); err != nil {
		return false, err
	}
	event, err := encodeEvent(ev)
	if err != nil {
		return false, err
	}
	notice, err := json.Marshal(store.Notice{Split: ev.Split, Event: true})
	if err != nil {
		return false, fmt.Errorf("encode the notice of %q: %w", ev.Split, err)
	}
	names := []string{s.keys.state(ev.Split), s.keys.noted(ev.Split, ev.ID), s.keys.events(ev.Split), s.keys.outbox()}
	reply, err := s.run(ctx, recordScript, names, rand.Text(), int(store.NotedFor.Seconds()), event, store.EventsKept,
		store.EventsKeptFor.Milliseconds(), store.OutboxKept, s.keys.changes(), notice)
	if err != nil {
		return false, err
	}
	verdict, err := reply.StringSlice()
	if err != nil || len(verdict) != 2 {
		return false, unexpected(reply.Val())
	}
	if untold := verdict[1]; untold != "" {
		s.logger.Warn("an event was recorded and could not be announced; the fleet learns of it by polling", "error", untold)
	}
	if verdict[0] == "none" {
		return false, fmt.Errorf("%w: %q", store.ErrNotFound, ev.Split)
	}
	return verdict[0] == "recorded", nil
}

// Claim is one script. Should its answer be lost, what it claimed is claimed again after ask.Idle. An event that cannot be
// read is told of and acknowledged, as it would come again for ever.
func (s *Store) Claim(ctx context.Context, ask store.ClaimAsk) ([]store.Delivery, error) {
	if err := store.CheckClaim(ask); err != nil {
		return nil, err
	}
	reply, err := s.run(ctx, claimScript, []string{s.keys.outbox()}, ask.Group, ask.From.String(), store.Page(ask.Limit),
		ask.Idle.Milliseconds(), s.claimed.begin(ask.Group), s.forgetAfter.Milliseconds())
	if err != nil {
		return nil, err
	}
	now, deliveries, odd, err := parseClaim(reply.Val())
	if err != nil {
		return nil, err
	}
	s.claimed.note(ask.Group, now)
	if len(odd) == 0 {
		return deliveries, nil
	}
	s.logger.Error("events in the outbox cannot be read, and nobody is told of them", "group", ask.Group, "entries", odd)
	if err := s.Acknowledge(ctx, ask.Group, odd); err != nil {
		s.logger.Warn("they cannot be acknowledged and will come again", "group", ask.Group, "error", err)
	}
	return deliveries, nil
}

// parseClaim reads the script's reply: the server's clock, and {receipt, tries, event, …}. Receipts of events that cannot be
// read are returned apart.
func parseClaim(reply any) (now time.Time, deliveries []store.Delivery, odd []string, err error) {
	parts, ok := reply.([]any)
	if !ok || len(parts) != 2 {
		return now, nil, nil, unexpected(reply)
	}
	clock, _ := parts[0].(string)
	millis, errClock := strconv.ParseInt(clock, 10, 64)
	flat, isList := parts[1].([]any)
	if errClock != nil || !isList || len(flat)%3 != 0 {
		return now, nil, nil, unexpected(reply)
	}
	for i := 0; i < len(flat); i += 3 {
		receipt, isText := flat[i].(string)
		tries, isNumber := flat[i+1].(int64)
		event, isTextToo := flat[i+2].(string)
		if !isText || !isNumber || !isTextToo {
			return now, nil, nil, unexpected(reply)
		}
		var ev store.Event
		if json.Unmarshal([]byte(event), &ev) != nil {
			odd = append(odd, receipt)
			continue
		}
		deliveries = append(deliveries, store.Delivery{Receipt: receipt, Event: ev, Tries: int(tries)})
	}
	return time.UnixMilli(millis), deliveries, odd, nil
}

// Acknowledge is one command.
func (s *Store) Acknowledge(ctx context.Context, group string, receipts []string) error {
	if err := store.CheckGroup(group); err != nil {
		return err
	}
	var ids []string
	for _, receipt := range receipts {
		if _, err := store.ParseCursor(receipt); err == nil { // else it is not there, and would be an error to the server
			ids = append(ids, receipt)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	_, err := ask(ctx, s, func(ctx context.Context) (int64, error) {
		return s.client.XAck(ctx, s.keys.outbox(), group, ids...).Result()
	})
	return err
}
