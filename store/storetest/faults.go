//go:build unix

package storetest

// Fault is a way in which a Redis fails a fleet, and the way back.
type Fault struct {
	Name string
	// Prepare is called before the changes that the fault is to lose; it does nothing for faults that lose nothing.
	Prepare func(*Redis)
	// Begin is called once, then End once.
	Begin, End func(*Redis)
	// Reads says whether States and versions can be read meanwhile.
	Reads bool
	// Writes says whether changes can be written meanwhile.
	Writes bool
	// Announces says whether announcements still reach those who watch.
	Announces bool
	// Forgets says that the server has lost changes: all that it had, or with Prepare those since.
	Forgets bool
}

// Faults lists the ways in which a Redis fails.
var Faults = []Fault{
	{Name: "killed", Prepare: nothing, Begin: (*Redis).Kill, End: (*Redis).Restart},
	{Name: "frozen", Prepare: nothing, Begin: (*Redis).Pause, End: (*Redis).Resume},
	{Name: "restarted", Prepare: nothing, Begin: (*Redis).Restart, End: nothing, Reads: true, Writes: true, Announces: true},
	{Name: "restarted empty", Prepare: nothing, Begin: (*Redis).RestartEmpty, End: nothing, Reads: true, Writes: true,
		Announces: true, Forgets: true},
	{Name: "restarted from an older dump", Prepare: (*Redis).saveDump, Begin: (*Redis).restoreDump, End: nothing,
		Reads: true, Writes: true, Announces: true, Forgets: true},
	{Name: "out of memory", Prepare: nothing, Begin: (*Redis).Fill, End: (*Redis).Empty, Reads: true, Announces: true},
	{Name: "read-only", Prepare: nothing, Begin: (*Redis).ReadOnly, End: (*Redis).Writable, Reads: true, Announces: true},
	{Name: "too few replicas", Prepare: nothing, Begin: (*Redis).missReplica, End: (*Redis).missNothing, Reads: true,
		Announces: true},
	{Name: "auth revoked", Prepare: nothing, Begin: (*Redis).RevokeAuth, End: (*Redis).GrantAuth},
	{Name: "pub/sub cut", Prepare: nothing, Begin: (*Redis).CutPubSub, End: (*Redis).HealPubSub, Reads: true, Writes: true},
}

// nothing leaves a server as it is.
func nothing(*Redis) {}

// saveDump makes a dump for restoreDump.
func (r *Redis) saveDump() { r.saved = r.Dump() }

// restoreDump restarts the server from the saved dump.
func (r *Redis) restoreDump() {
	r.t.Helper()
	if r.saved == (Dump{}) {
		r.t.Fatal("the fault needs Prepare to be called before what it is to lose is written")
	}
	r.RestartFrom(r.saved)
}

// missReplica makes the server refuse writes for lack of a replica (NOREPLICAS).
func (r *Redis) missReplica() { r.Do("CONFIG", "SET", "min-replicas-to-write", 1) }

// missNothing undoes missReplica.
func (r *Redis) missNothing() { r.Do("CONFIG", "SET", "min-replicas-to-write", 0) }
