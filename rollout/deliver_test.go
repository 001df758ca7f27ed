package rollout_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/switchback-proxy/switchback/rollout"
	"github.com/switchback-proxy/switchback/splitter"
	"github.com/switchback-proxy/switchback/store"
	"github.com/switchback-proxy/switchback/store/embedded"
)

// mailbox is somebody who is told.
type mailbox struct {
	mu    sync.Mutex // protects the following fields
	mail  []store.Event
	tries []time.Time
	fails int  // of the next tries; negative: all
	hangs bool // until it is given up
}

// target is the mailbox by a name, for all kinds of event but those that every split begins with.
func (m *mailbox) target(name string) rollout.Target {
	wants := func(ev store.Event) bool { return ev.Kind != rollout.KindCreated }
	return rollout.Target{Name: name, Wants: wants, Send: m.send, Test: func(context.Context) error { return nil }}
}

func (m *mailbox) send(ctx context.Context, ev store.Event) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.tries = append(m.tries, time.Now())
	if m.hangs {
		<-ctx.Done()
		return ctx.Err()
	}
	if m.fails != 0 {
		m.fails--
		return errors.New("a dead letter box")
	}
	m.mail = append(m.mail, ev)
	return nil
}

// kinds are those of what came, in order.
func (m *mailbox) kinds() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var kinds []string
	for _, ev := range m.mail {
		kinds = append(kinds, ev.Kind)
	}
	return strings.Join(kinds, " ")
}

func (m *mailbox) wants(t *testing.T, when, want string) {
	t.Helper()
	if got := m.kinds(); got != want {
		t.Errorf("%s: got %q, want %q", when, got, want)
	}
}

// telling starts an instance that tells each mailbox, as a target of the name that it has in boxes.
func telling(t *testing.T, s store.Store, name string, boxes map[string]*mailbox) *proxy {
	t.Helper()
	p := start(t, s, name, withoutJudge(assistant(99, 1)))
	p.tells(boxes)
	return p
}

func (p *proxy) tells(boxes map[string]*mailbox) {
	var targets []rollout.Target
	for name, m := range boxes {
		targets = append(targets, m.target(name))
	}
	slices.SortFunc(targets, func(a, b rollout.Target) int { return strings.Compare(a.Name, b.Name) })
	p.SetTargets(targets)
}

// waiting is an event that changes no State.
func waiting(id string, at time.Time) store.Event {
	return store.Event{ID: id, Split: "assistant", Change: splitter.Change{Kind: rollout.KindWaiting, Actor: "switchback", At: at}}
}

func mustRecord(t *testing.T, s store.Store, ev store.Event) {
	t.Helper()
	if isNew, err := s.Record(t.Context(), ev); err != nil || !isNew {
		t.Fatalf("Record: got %t, %v", isNew, err)
	}
}

// Each target is told of each event once, whoever of the fleet does it, at once and in order.
func TestTargetsAreTold(t *testing.T) {
	bubble(t, func(t *testing.T, s *embedded.Store) {
		chat, pager := new(mailbox), new(mailbox)
		var fleet []*proxy
		for i := range 3 {
			fleet = append(fleet, telling(t, s, fmt.Sprintf("proxy-%d", i+1), map[string]*mailbox{"chat": chat, "pager": pager}))
		}
		elapse(time.Second)
		fleet[0].set(t, 5)
		fleet[1].set(t, 10)
		fleet[2].kills(t, "green")
		mustRecord(t, s, waiting("gate-1", time.Now()))
		synctest.Wait()
		for _, m := range []*mailbox{chat, pager} {
			m.wants(t, "at once", "weights weights kill waiting")
		}
		elapse(5 * time.Minute)
		chat.wants(t, "later", "weights weights kill waiting")
		var sent uint64
		for _, p := range fleet {
			for _, st := range p.TargetStatus() {
				sent += st.Sent
			}
		}
		if sent != 8 {
			t.Errorf("counted %d, want 8", sent)
		}
	})
}

// A target that fails is tried again after pauses that double, and told once it takes what it is told.
func TestBackOff(t *testing.T) {
	bubble(t, func(t *testing.T, s *embedded.Store) {
		chat := &mailbox{fails: 12}
		p := telling(t, s, "proxy-1", map[string]*mailbox{"chat": chat})
		elapse(time.Second)
		begun := time.Now()
		p.set(t, 5)
		elapse(time.Second / 2)
		want := rollout.TargetStatus{Name: "chat", Failed: 1, LastError: "a dead letter box", FailingSince: begun}
		if diff := cmp.Diff([]rollout.TargetStatus{want}, p.TargetStatus()); diff != "" {
			t.Errorf("status (-want +got):\n%s", diff)
		}
		elapse(30 * time.Minute)
		chat.wants(t, "in the end", "weights")
		want = rollout.TargetStatus{Name: "chat", Sent: 1, Failed: 12}
		if diff := cmp.Diff([]rollout.TargetStatus{want}, p.TargetStatus()); diff != "" {
			t.Errorf("status in the end (-want +got):\n%s", diff)
		}
		for i := range len(chat.tries) - 1 {
			most := min(2*time.Second<<i, 5*time.Minute)
			// What is claimed anew is waited for by looking, twice a minute.
			if pause := chat.tries[i+1].Sub(chat.tries[i]); pause < most/2 || pause > most+time.Minute {
				t.Errorf("pause %d: got %v, want %v to %v", i+1, pause, most/2, most)
			}
		}
	})
}

// A target that hangs delays neither another one, nor a change, nor the end.
func TestDeadTargetDelaysNobody(t *testing.T) {
	bubble(t, func(t *testing.T, s *embedded.Store) {
		dead, chat := &mailbox{hangs: true}, new(mailbox)
		p := telling(t, s, "proxy-1", map[string]*mailbox{"dead": dead, "chat": chat})
		elapse(time.Second)
		begun := time.Now()
		for i := range 3 {
			p.set(t, splitter.Weight(i+2))
		}
		synctest.Wait()
		chat.wants(t, "at once", "weights weights weights")
		if took := time.Since(begun); took != 0 {
			t.Errorf("changes took %v", took)
		}
		p.close(t)
		if took := time.Since(begun); took > time.Second {
			t.Errorf("closing took %v", took)
		}
	})
}

// What one instance cannot tell another one does.
func TestAnotherInstanceTakesOver(t *testing.T) {
	bubble(t, func(t *testing.T, s *embedded.Store) {
		cut, chat := &mailbox{fails: -1}, new(mailbox)
		one := telling(t, s, "proxy-1", map[string]*mailbox{"chat": cut})
		elapse(time.Second)
		one.set(t, 5)
		elapse(time.Second)
		telling(t, s, "proxy-2", map[string]*mailbox{"chat": chat})
		elapse(2 * time.Minute)
		chat.wants(t, "taken over", "weights")
		elapse(10 * time.Minute)
		chat.wants(t, "later", "weights")
	})
}

// An event that a target does not take for a day is given up, and counted.
func TestOldEventsAreDropped(t *testing.T) {
	bubble(t, func(t *testing.T, s *embedded.Store) {
		dead := &mailbox{fails: -1}
		p := telling(t, s, "proxy-1", map[string]*mailbox{"dead": dead})
		elapse(time.Second)
		mustRecord(t, s, waiting("old", time.Now().Add(-24*time.Hour+time.Minute)))
		elapse(30 * time.Second)
		if st := p.TargetStatus()[0]; st.Dropped != 0 || st.Failed == 0 {
			t.Errorf("in time: got %+v", st)
		}
		elapse(5 * time.Minute)
		tried := p.TargetStatus()[0]
		elapse(10 * time.Minute)
		if st := p.TargetStatus()[0]; st.Dropped != 1 || st.Failed != tried.Failed {
			t.Errorf("too late: got %+v, want one dropped, %d tries", st, tried.Failed)
		}
	})
}

// Without targets the outbox costs nothing; with some, little.
func TestIdleTargets(t *testing.T) {
	bubble(t, func(t *testing.T, s *embedded.Store) {
		p := telling(t, s, "proxy-1", nil)
		elapse(5 * time.Minute)
		if n := p.link.looked(); n != 0 {
			t.Errorf("without targets: looked %d times", n)
		}
		p.tells(map[string]*mailbox{"a": {}, "b": {}})
		elapse(time.Second)
		before := p.link.looked()
		elapse(5 * time.Minute)
		if n := p.link.looked() - before; n > 20 {
			t.Errorf("looked %d times in 5 minutes for two targets, want 20 at most", n)
		}
	})
}

// A reload replaces the targets. What one of the same name counted goes on; a new one is told of what comes.
func TestTargetsAreReplaced(t *testing.T) {
	bubble(t, func(t *testing.T, s *embedded.Store) {
		chat, pager := new(mailbox), new(mailbox)
		p := telling(t, s, "proxy-1", map[string]*mailbox{"chat": chat})
		elapse(time.Second)
		p.set(t, 5)
		synctest.Wait()
		again := new(mailbox)
		p.tells(map[string]*mailbox{"chat": again, "pager": pager})
		elapse(time.Second)
		p.set(t, 10)
		synctest.Wait()
		chat.wants(t, "before", "weights")
		again.wants(t, "after", "weights")
		pager.wants(t, "new", "weights")
		want := []rollout.TargetStatus{{Name: "chat", Sent: 2}, {Name: "pager", Sent: 1}}
		if diff := cmp.Diff(want, p.TargetStatus()); diff != "" {
			t.Errorf("status (-want +got):\n%s", diff)
		}
		p.tells(nil)
		p.set(t, 20)
		elapse(time.Minute)
		again.wants(t, "gone", "weights")
	})
}

// What could not be told before the end is told by the next run.
func TestRestartGoesOnTelling(t *testing.T) {
	bubble(t, func(t *testing.T, s *embedded.Store) {
		p := telling(t, s, "proxy-1", map[string]*mailbox{"chat": {fails: -1}})
		elapse(time.Second)
		p.set(t, 5)
		elapse(10 * time.Second)
		p.close(t)
		chat := new(mailbox)
		telling(t, s, "proxy-1", map[string]*mailbox{"chat": chat})
		elapse(2 * time.Minute)
		chat.wants(t, "after the restart", "weights")
	})
}

// A store that is away for long is told by one instance, past the store; that it is back is told once.
func TestStoreLostAndBack(t *testing.T) {
	bubble(t, func(t *testing.T, s *embedded.Store) {
		one, two := new(mailbox), new(mailbox)
		fleet := []*proxy{telling(t, s, "proxy-1", map[string]*mailbox{"chat": one}), telling(t, s, "proxy-2", map[string]*mailbox{"chat": two})}
		elapse(15 * time.Second) // each has heard of the other
		cutOff(fleet, 5*time.Second)
		if got := one.kinds() + two.kinds(); got != "" {
			t.Errorf("short: got %q", got)
		}
		elapse(15 * time.Second) // until each has heard of the other again
		cutOff(fleet, 20*time.Second)
		elapse(2 * time.Minute)
		if got := strings.TrimSpace(one.kinds() + " " + two.kinds()); got != "store_lost store_back" || !strings.HasPrefix(one.kinds(), "store_lost") {
			t.Errorf("long: got %q and %q, want store_lost by proxy-1 and store_back by any", one.kinds(), two.kinds())
		}
		all := slices.Concat(one.mail, two.mail)
		if ev := all[len(all)-1]; ev.Split != "assistant" || !strings.Contains(ev.Reason, "had no store from") {
			t.Errorf("store_back: got %+v", ev)
		}
		cutOff(fleet, 20*time.Second)
		elapse(2 * time.Minute)
		if n := len(one.mail) + len(two.mail); n != 4 {
			t.Errorf("the next outage: %d events, want 4", n)
		}
	})
}

// cutOff takes the store away from a fleet for so long.
func cutOff(fleet []*proxy, d time.Duration) {
	for _, p := range fleet {
		p.link.set(away)
	}
	elapse(d)
	for _, p := range fleet {
		p.link.set(none)
	}
	elapse(2 * time.Second)
}

// Whoever listens hears of what is recorded, too, in its turn, once on each instance, and of nothing old.
func TestRecordedEventsArePassedOn(t *testing.T) {
	bubble(t, func(t *testing.T, s *embedded.Store) {
		var told [2][]string
		var fleet []*proxy
		for i := range told {
			fleet = append(fleet, start(t, s, fmt.Sprintf("proxy-%d", i+1), withoutJudge(assistant(99, 1)), func(o *rollout.Options) {
				o.OnEvent = func(ev store.Event, state *splitter.State) {
					told[i] = append(told[i], fmt.Sprintf("%s %d>%d %t", ev.Kind, ev.From["green"]/percent, ev.To["green"]/percent, state != nil))
				}
			}))
		}
		elapse(time.Second)
		mustRecord(t, s, waiting("old", time.Now().Add(-time.Hour)))
		fleet[0].set(t, 5)
		synctest.Wait()
		mustRecord(t, s, waiting("gate-1", time.Now()))
		synctest.Wait()
		mustRecord(t, s, waiting("gate-2", time.Now()))
		synctest.Wait()
		want := []string{"weights 1>5 true", "waiting 0>0 false", "waiting 0>0 false"}
		for i := range told {
			if diff := cmp.Diff(want, told[i]); diff != "" {
				t.Errorf("instance %d (-want +got):\n%s", i+1, diff)
			}
		}
	})
}
