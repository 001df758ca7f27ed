//go:build unix

package redis_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/switchback-proxy/switchback/splitter"
	"github.com/switchback-proxy/switchback/store"
	"github.com/switchback-proxy/switchback/store/redis"
	"github.com/switchback-proxy/switchback/store/storetest"
)

// A change whose answer is lost is written or not, and the store does not claim to know. Made again it is a success, and
// was made once.
func TestLostAnswers(t *testing.T) {
	t.Parallel()
	server := storetest.StartRedis(t)
	path := newRelay(t, server.Addr())
	s := open(t, redis.Config{Addresses: []string{path.addr()}})
	state := begin(t, s, "assistant")
	server.Order("default", "assistant", "stop it")
	next, ev := storetest.Next(state, "kill-1")
	ev.Order = "stop it"

	path.mute.Store(true)
	wantUnclear(t, s.Swap(t.Context(), state.Version, next, ev))
	path.mute.Store(false)
	eventually(t, func(ctx context.Context) error { return s.Swap(ctx, state.Version, next, ev) })
	if events, err := s.Events(t.Context(), "assistant", 10); err != nil || len(events) != 2 {
		t.Errorf("Events: got %v, %v, want two", events, err)
	}
}

// wantUnclear wants the error of a change that may have been written.
func wantUnclear(t *testing.T, err error) {
	t.Helper()
	if !errors.Is(err, store.ErrUnavailable) || errors.Is(err, store.ErrNotWritten) || errors.Is(err, store.ErrConflict) {
		t.Errorf("Swap: got %v, want ErrUnavailable, neither ErrNotWritten nor ErrConflict", err)
	}
}

// wantNotWritten wants the error of a change that cannot have been written.
func wantNotWritten(t *testing.T, err error) {
	t.Helper()
	if !errors.Is(err, store.ErrUnavailable) || !errors.Is(err, store.ErrNotWritten) {
		t.Errorf("Swap: got %v, want ErrUnavailable and ErrNotWritten", err)
	}
}

// The first try is carried out and its answer lost. What the second one meets says more, or not.
func TestSecondTry(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		meanwhile func(t *testing.T, server *storetest.Redis, path *relay, next *splitter.State)
		want      func(*testing.T, error)
	}{
		"what the first one wrote": {leaveAlone, wantWritten},
		"what came from it":        {overtake, wantWritten},
		"a newer release's":        {overtakeByNewer, wantWritten},
		"another history":          {replace, wantConflict},
		"an empty store":           {empty, wantUnclear},
		"a full server":            {fill, wantWritten},
		"a full one that lost it":  {loseAndFill, wantUnclear},
		"a read-only one":          {loseAndMakeReadOnly, wantUnclear},
		"an unreadable state":      {spoil, wantUnclear},
		"nobody":                   {stopListening, wantUnclear},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := storetest.StartRedis(t)
			path := newRelay(t, server.Addr())
			s := open(t, redis.Config{Addresses: []string{path.addr()}})
			state := begin(t, s, "assistant")
			next, ev := storetest.Next(state, "lost")
			tt.want(t, losing(t, path, func() error { return s.Swap(t.Context(), state.Version, next, ev) },
				func() { tt.meanwhile(t, server, path, next) }))
		})
	}
}

// losing swaps over a path that loses the first answer, and calls meanwhile before a second try can get through.
func losing(t *testing.T, path *relay, swap func() error, meanwhile func()) error {
	t.Helper()
	loss := path.loseAnswer(t)
	result := make(chan error, 1)
	go func() { result <- swap() }()
	select {
	case <-loss.held:
	case err := <-result:
		t.Fatalf("Swap: got %v, and no answer was lost", err)
	case <-time.After(patience):
		t.Fatalf("no answer within %v", patience)
	}
	meanwhile()
	loss.end()
	return <-result
}

func leaveAlone(*testing.T, *storetest.Redis, *relay, *splitter.State) {}

// overtake makes the next change.
func overtake(t *testing.T, server *storetest.Redis, _ *relay, state *splitter.State) {
	after, ev := storetest.Next(state, "after")
	if err := open(t, at(server)).Swap(t.Context(), state.Version, after, ev); err != nil {
		t.Errorf("Swap: %v", err)
	}
}

// overtakeByNewer makes the next change as a release does that has a newer schema.
func overtakeByNewer(t *testing.T, server *storetest.Redis, _ *relay, state *splitter.State) {
	after, _ := storetest.Next(state, "after")
	after.Schema = splitter.Schema + 1
	doc, err := json.Marshal(after)
	if err != nil {
		t.Errorf("encoding %v: %v", after, err)
	}
	server.Do("HSET", stateKey, "revision", after.Revision, "id", after.ID, "schema", after.Schema, "doc", doc)
}

// replace puts a State there that does not come from the change.
func replace(t *testing.T, server *storetest.Redis, _ *relay, _ *splitter.State) {
	server.Do("FLUSHALL")
	other, ev := storetest.First("assistant", "other")
	if err := open(t, at(server)).Swap(t.Context(), splitter.Version{}, other, ev); err != nil {
		t.Errorf("Swap: %v", err)
	}
}

// lose puts the State there that the change was made from, as a failover does that loses the change.
func lose(t *testing.T, server *storetest.Redis) {
	server.Do("FLUSHALL")
	begin(t, open(t, at(server)), "assistant")
}

func loseAndFill(t *testing.T, server *storetest.Redis, _ *relay, _ *splitter.State) {
	lose(t, server)
	server.Fill()
}

func loseAndMakeReadOnly(t *testing.T, server *storetest.Redis, _ *relay, _ *splitter.State) {
	lose(t, server)
	server.ReadOnly()
}

func empty(_ *testing.T, server *storetest.Redis, _ *relay, _ *splitter.State) { server.Do("FLUSHALL") }
func fill(_ *testing.T, server *storetest.Redis, _ *relay, _ *splitter.State)  { server.Fill() }
func stopListening(_ *testing.T, _ *storetest.Redis, path *relay, _ *splitter.State) {
	_ = path.listener.Close()
}

func spoil(_ *testing.T, server *storetest.Redis, _ *relay, _ *splitter.State) {
	server.Do("HSET", stateKey, "revision", "abc")
}

// stateKey is where the State of split "assistant" of fleet "default" is.
const stateKey = "switchback:{default}:state:assistant"

func wantWritten(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Errorf("Swap: got %v, want none", err)
	}
}

func wantConflict(t *testing.T, err error) {
	t.Helper()
	if !errors.Is(err, store.ErrConflict) || errors.Is(err, store.ErrUnavailable) {
		t.Errorf("Swap: got %v, want only ErrConflict", err)
	}
}

// In a Cluster the client library tries again by itself, and shows only what the last try met.
func TestSecondTryInCluster(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		meanwhile func(t *testing.T, server *storetest.Redis, path *relay, next *splitter.State)
		want      func(*testing.T, error)
	}{
		"what the first one wrote": {leaveAlone, wantWritten},
		"an empty store":           {empty, wantUnclear},
		"a full one that lost it":  {loseAndFill, wantUnclear},
		"nobody":                   {stopListening, wantUnclear},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			node := storetest.StartCluster(t, 1).Nodes[0]
			path := newRelay(t, node.Addr())
			host, port, err := net.SplitHostPort(path.addr())
			if err != nil {
				t.Fatal(err)
			}
			node.Do("CONFIG", "SET", "cluster-announce-ip", host, "cluster-announce-port", port)
			s := open(t, redis.Config{Addresses: []string{path.addr()}, Cluster: true})
			state := begin(t, s, "assistant")
			next, ev := storetest.Next(state, "lost")
			tt.want(t, losing(t, path, func() error { return s.Swap(t.Context(), state.Version, next, ev) },
				func() { tt.meanwhile(t, node, path, next) }))
		})
	}
}

// A change that never left this machine has changed nothing, and the error says so.
func TestSwapIsNeverSent(t *testing.T) {
	t.Parallel()
	dead := storetest.StartRedis(t)
	dead.Kill()
	frozen := storetest.StartRedis(t)
	frozen.Pause()
	for name, tt := range map[string]struct {
		cfg  redis.Config
		want string
	}{
		"nobody listens":           {at(dead), "connection refused"},
		"no sentinel listens":      {redis.Config{Addresses: []string{dead.Addr()}, MasterName: "m"}, "connection refused"},
		"no node listens":          {redis.Config{Addresses: []string{dead.Addr()}, Cluster: true}, "connection refused"},
		"nobody answers the login": {redis.Config{Addresses: []string{frozen.Addr()}, Password: "p"}, "does not answer"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			state, ev := storetest.First("assistant", "first")
			err := open(t, tt.cfg).Swap(t.Context(), splitter.Version{}, state, ev)
			wantNotWritten(t, err)
			if !strings.Contains(fmt.Sprint(err), tt.want) {
				t.Errorf("Swap: got %v, want %q in it", err, tt.want)
			}
		})
	}
	t.Run("closed", func(t *testing.T) {
		s := open(t, at(dead))
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		state, ev := storetest.First("assistant", "first")
		wantNotWritten(t, s.Swap(t.Context(), splitter.Version{}, state, ev))
	})
}

// Whether a change was sent is told of each one anew.
func TestSwapAfterLostAnswer(t *testing.T) {
	t.Parallel()
	server := storetest.StartRedis(t)
	s := open(t, at(server))
	state := begin(t, s, "assistant")
	server.Pause()
	next, ev := storetest.Next(state, "frozen")
	wantUnclear(t, s.Swap(t.Context(), state.Version, next, ev))
	server.Kill()
	next, ev = storetest.Next(state, "killed")
	wantNotWritten(t, s.Swap(t.Context(), state.Version, next, ev))
}

// A server that is busy or loading may have carried out an earlier try: only refusals say that nothing was written.
func TestRefusals(t *testing.T) {
	for _, tt := range []struct {
		reply string
		want  bool
	}{
		{"OOM command not allowed when used memory > 'maxmemory'. script: x, on @user_script:1.", true},
		{"ERR Error running script (call to f_x): @user_script:1: @user_script: 1: -OOM command not allowed", true},
		{"READONLY You can't write against a read only replica.", true},
		{"NOAUTH Authentication required.", true},
		{"LOADING Redis is loading the dataset in memory", false},
		{"BUSY Redis is busy running a script.", false},
		{"TRYAGAIN Multiple keys request during rehashing of slot", false},
		{"ERR OOM is not how it begins", false},
	} {
		t.Run(fmt.Sprintf("%.12s", tt.reply), func(t *testing.T) {
			if got := redis.Refuses(tt.reply); got != tt.want {
				t.Errorf("%q: got %t, want %t", tt.reply, got, tt.want)
			}
		})
	}
}
