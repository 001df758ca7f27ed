//go:build unix

package redis_test

import (
	"fmt"
	"regexp"
	"strconv"
	"testing"

	"github.com/switchback-proxy/switchback/splitter"
	"github.com/switchback-proxy/switchback/store"
	"github.com/switchback-proxy/switchback/store/redis"
	"github.com/switchback-proxy/switchback/store/storetest"
)

// largeFleet fills a store with splits and returns the beat of a member that has applied them all.
func largeFleet(t testing.TB, s store.Store, splits int) store.Beat {
	t.Helper()
	beat := store.Beat{MemberID: store.MemberID{Name: "proxy-1", Boot: "0123456789abcdef"},
		Applied: map[string]splitter.Version{}}
	for i := range splits {
		state, ev := storetest.First(fmt.Sprintf("assistant-%04d", i), fmt.Sprintf("%016x", i))
		if err := s.Swap(t.Context(), splitter.Version{}, state, ev); err != nil {
			t.Fatal(err)
		}
		beat.Applied[state.Split] = state.Version
	}
	return beat
}

// commands counts the commands that a server was sent or ran in scripts, by name.
func commands(t testing.TB, server *storetest.Redis) map[string]int {
	t.Helper()
	counts := map[string]int{}
	text := server.Do("INFO", "commandstats").(string)
	for _, m := range regexp.MustCompile(`cmdstat_([a-z|_]+):calls=(\d+)`).FindAllStringSubmatch(text, -1) {
		n, err := strconv.Atoi(m[2])
		if err != nil {
			t.Fatal(err)
		}
		counts[m[1]] = n
	}
	return counts
}

// A heartbeat is one round trip however many splits there are. Each second that makes one; a silent subscription adds a
// ping in 20 s, the inspection of the server one in five minutes.
func TestHeartbeatIsOneRoundTrip(t *testing.T) {
	t.Parallel()
	for _, splits := range []int{1, 100, 2500} {
		t.Run(fmt.Sprint(splits), func(t *testing.T) {
			server := storetest.StartRedis(t)
			s := open(t, at(server))
			beat := largeFleet(t, s, splits)
			if _, err := s.Pulse(t.Context(), beat); err != nil { // loads the script
				t.Fatal(err)
			}
			redis.AwaitInspection(s)
			server.Do("CONFIG", "RESETSTAT")
			const beats = 20
			for range beats {
				p, err := s.Pulse(t.Context(), beat)
				if err != nil || len(p.Versions) != splits {
					t.Fatalf("Pulse: got %d versions, %v, want %d", len(p.Versions), err, splits)
				}
			}
			got := commands(t, server)
			if got["evalsha"] != beats || got["eval"]+got["info"]+got["config|get"]+got["ping"]+got["getrange"] != 0 {
				t.Errorf("%d beats: got %v, want as many scripts and no other round trip", beats, got)
			}
			if got["hset"] != beats { // what a member reports is long, and is written only when it changes
				t.Errorf("%d beats: got %d writes, want one each", beats, got["hset"])
			}
		})
	}
}

// BenchmarkPulse measures a heartbeat with 100 splits: in time here, and in time of the server's one thread.
func BenchmarkPulse(b *testing.B) {
	server := storetest.StartRedis(b)
	s := open(b, at(server))
	beat := largeFleet(b, s, 100)
	server.Do("CONFIG", "RESETSTAT")
	for b.Loop() {
		if _, err := s.Pulse(b.Context(), beat); err != nil {
			b.Fatal(err)
		}
	}
	b.StopTimer()
	b.ReportMetric(serverMicros(b, server)/float64(b.N), "server-µs/op")
	for _, name := range []string{"total_net_input_bytes", "total_net_output_bytes"} {
		b.ReportMetric(float64(field(b, server, "stats", name))/float64(b.N), name[len("total_net_"):]+"/op")
	}
}

// field returns a number that a server tells of itself; name is a regular expression.
func field(t testing.TB, server *storetest.Redis, section, name string) int {
	t.Helper()
	m := regexp.MustCompile(name + `[:=](\d+)`).FindStringSubmatch(server.Do("INFO", section).(string))
	if m == nil {
		t.Fatalf("INFO %s: says nothing of %s", section, name)
	}
	n, err := strconv.Atoi(m[1])
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// serverMicros returns how long a server has run scripts in all, in microseconds.
func serverMicros(t testing.TB, server *storetest.Redis) float64 {
	t.Helper()
	return float64(field(t, server, "commandstats", "cmdstat_evalsha:calls=[0-9]+,usec"))
}
