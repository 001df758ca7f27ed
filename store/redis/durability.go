package redis

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	goredis "github.com/redis/go-redis/v9"
)

// inspectionPause is how long after one inspection of the server the next may follow.
const inspectionPause = 5 * time.Minute

// inspector finds out whether the server keeps what it is given. It looks beside the calls, which never wait for it.
type inspector struct {
	running sync.WaitGroup

	mu      sync.Mutex // protects following fields
	ended   bool
	next    time.Time
	warning string
}

// inspectIfDue starts an inspection if the last one is long ago. It is called when the server has just answered.
func (s *Store) inspectIfDue() {
	i := &s.inspector
	i.mu.Lock()
	defer i.mu.Unlock()
	now := time.Now()
	if i.ended || now.Before(i.next) {
		return
	}
	i.next = now.Add(inspectionPause)
	i.running.Go(s.inspect)
}

// soon lets the next call that is answered start an inspection: the server may be another one by now.
func (i *inspector) soon() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.next = time.Time{}
}

// wait ends inspections, and waits for the one that is under way.
func (i *inspector) wait() {
	i.mu.Lock()
	i.ended = true
	i.mu.Unlock()
	i.running.Wait()
}

// inspect asks the server about itself and keeps what is wrong with it.
func (s *Store) inspect() {
	ctx, cancel := context.WithTimeout(s.life, callTimeout)
	defer cancel()
	found, err := s.ask(ctx)
	if err != nil {
		s.logger.Debug("the server does not say whether it keeps what is stored", "error", err)
		return
	}
	warning := found.warning()
	s.inspector.mu.Lock()
	before := s.inspector.warning
	s.inspector.warning = warning
	s.inspector.mu.Unlock()
	switch {
	case warning == before:
	case warning == "":
		s.logger.Info("the server keeps what is stored now")
	default:
		s.logger.Warn(warning)
	}
}

// known returns what the last inspection found wrong.
func (i *inspector) known() string {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.warning
}

// facts is what a server says of itself.
type facts struct {
	info      map[string]string // INFO's fields
	save      string            // when it makes snapshots; empty: never
	saveKnown bool              // whether the server told save
}

// ask asks the master of the fleet's control keys, in one round trip. That CONFIG is denied is no error.
func (s *Store) ask(ctx context.Context) (facts, error) {
	var node goredis.Cmdable = s.client
	if cluster, ok := s.client.(*goredis.ClusterClient); ok {
		master, err := cluster.MasterForKey(ctx, s.keys.members())
		if err != nil {
			return facts{}, err
		}
		node = master
	}
	pipe := node.Pipeline()
	info, save := pipe.Info(ctx), pipe.ConfigGet(ctx, "save")
	if _, err := pipe.Exec(ctx); err != nil && info.Err() != nil {
		return facts{}, info.Err()
	}
	f := facts{info: parseInfo(info.Val())}
	f.save, f.saveKnown = save.Val()["save"]
	return f, nil
}

// parseInfo reads lines of field:value.
func parseInfo(text string) map[string]string {
	fields := map[string]string{}
	for line := range strings.Lines(text) {
		if field, value, found := strings.Cut(strings.TrimSpace(line), ":"); found {
			fields[field] = value
		}
	}
	return fields
}

// warning says in sentences what is wrong and what to do; empty if nothing is. What the server does not tell is not
// held against it.
func (f facts) warning() string {
	var sentences []string
	for _, sentence := range []string{f.evicts(), f.forgets(), f.tooOld()} {
		if sentence != "" {
			sentences = append(sentences, sentence)
		}
	}
	return strings.Join(sentences, "; ")
}

// evicts says what the server throws away when its memory is full.
func (f facts) evicts() string {
	policy, limit := f.info["maxmemory_policy"], f.info["maxmemory"]
	if policy == "" || policy == "noeviction" || limit == "" || limit == "0" {
		return ""
	}
	what := "any key, kills among them"
	if strings.HasPrefix(policy, "volatile-") { // only the evidence expires
		what = "the evidence that variants are judged by"
	}
	return fmt.Sprintf("when its memory is full, the Redis server throws away %s (maxmemory-policy %s): set "+
		"maxmemory-policy to noeviction", what, policy)
}

// forgets says whether a restart of the server loses everything.
func (f facts) forgets() string {
	switch {
	case f.info["aof_enabled"] != "0" || f.save != "":
		return ""
	case f.saveKnown:
		return "the Redis server keeps nothing on disk and loses all changes at a restart, kills included: set appendonly " +
			"to yes"
	default:
		return "the Redis server writes no append-only file, and whether it makes snapshots could not be read (CONFIG is " +
			"denied): set appendonly to yes, or a restart may lose changes, kills included"
	}
}

// minMajor and minMinor are the oldest version of Redis that has all that is used here.
const minMajor, minMinor = 6, 2

// tooOld says whether the server is older than what this package is made for.
func (f facts) tooOld() string {
	version := f.info["redis_version"]
	majorText, rest, _ := strings.Cut(version, ".")
	minorText, _, _ := strings.Cut(rest, ".")
	major, errMajor := strconv.Atoi(majorText)
	minor, errMinor := strconv.Atoi(minorText)
	if errMajor != nil || errMinor != nil || major > minMajor || major == minMajor && minor >= minMinor {
		return ""
	}
	return fmt.Sprintf("the Redis server is version %s: %d.%d or newer is needed", version, minMajor, minMinor)
}
