package main

import "testing"

// TestLoad lets one user ask an agent that answers, and another one that fails.
func TestLoad(t *testing.T) {
	l := newLab(t.TempDir())
	a, err := l.startAgent()
	if err != nil {
		t.Fatal(err)
	}
	const rate = 200 // as much as a busy machine bears
	users := l.newUsers()
	fine := &load{client: users, addresses: []string{"http://" + a.address}, users: namesOfUsers(3), rate: rate}
	bad := &load{client: users, addresses: []string{"http://" + a.address + crashPath}, users: namesOfUsers(3), rate: rate}
	for _, tt := range []struct {
		load *load
		want int // users who saw a failure
	}{{fine, 0}, {bad, 3}} {
		tt.load.start(t.Context())
		err := poll(t.Context(), func() (bool, error) { return tt.load.answered() >= 50, nil })
		if failed := tt.load.finish(); err != nil || failed != tt.want {
			t.Errorf("of %s: %d users saw a failure, %v; want %d", tt.load.addresses[0], failed, err, tt.want)
		}
	}
	if a.firstBad.Load() == 0 {
		t.Error("the agent does not say when it first failed")
	}
	if err := l.close(); err != nil {
		t.Fatal(err)
	}
}

// answered returns how many requests have their answers, or none came.
func (l *load) answered() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.late)
}
