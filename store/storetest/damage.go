//go:build unix

package storetest

import (
	"os"
	"path/filepath"
)

// Dump is a copy of what a Redis kept on disk at some moment.
type Dump struct{ folder string }

// aofFolder is where a redis-server keeps its data, within its own folder.
const aofFolder = "appendonlydir"

// Dump copies what the server keeps, for RestartFrom.
func (r *Redis) Dump() Dump {
	r.t.Helper()
	r.Do("CONFIG", "SET", "appendfsync", "always") // nothing waits to be written when this is answered
	defer r.Do("CONFIG", "SET", "appendfsync", "everysec")
	d := Dump{folder: r.t.TempDir()}
	r.copyData(d.folder, filepath.Join(r.folder, aofFolder))
	return d
}

// RestartFrom restarts the server with what it kept when d was made: what was written since is lost, as after a restore
// from a backup.
func (r *Redis) RestartFrom(d Dump) {
	r.t.Helper()
	r.restartWith(func() { r.copyData(filepath.Join(r.folder, aofFolder), d.folder) })
}

// RestartEmpty restarts the server without anything, as after the loss of its disk.
func (r *Redis) RestartEmpty() {
	r.t.Helper()
	r.restartWith(func() {})
}

// restartWith restarts the server after its data was removed and others were put there.
func (r *Redis) restartWith(put func()) {
	r.t.Helper()
	if r.process != nil {
		r.Kill()
	}
	if err := os.RemoveAll(filepath.Join(r.folder, aofFolder)); err != nil {
		r.t.Fatal(err)
	}
	put()
	r.start()
}

// copyData copies a folder's files into another folder.
func (r *Redis) copyData(to, from string) {
	r.t.Helper()
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		r.t.Fatalf("copying the data of redis-server: %v", err)
	}
}

// Fill makes the server refuse writes because its memory is full (OOM).
func (r *Redis) Fill() {
	r.t.Helper()
	r.Do("CONFIG", "SET", "maxmemory-policy", "noeviction")
	r.Do("CONFIG", "SET", "maxmemory", 1)
}

// Empty undoes Fill. It removes nothing.
func (r *Redis) Empty() {
	r.t.Helper()
	r.Do("CONFIG", "SET", "maxmemory", 0)
}

// ReadOnly makes the server a replica of nobody who is there: it serves what it has and refuses writes (READONLY).
func (r *Redis) ReadOnly() {
	r.t.Helper()
	r.Do("REPLICAOF", "127.0.0.1", 1)
}

// Writable undoes ReadOnly.
func (r *Redis) Writable() {
	r.t.Helper()
	r.Do("REPLICAOF", "NO", "ONE")
}

// RevokeAuth changes the password, unknown to everybody, and throws all clients out.
func (r *Redis) RevokeAuth() {
	r.t.Helper()
	r.Do("CONFIG", "SET", "requirepass", "changed")
	for _, kind := range []string{"normal", "pubsub"} {
		r.Do("CLIENT", "KILL", "TYPE", kind, "SKIPME", "yes")
	}
}

// GrantAuth undoes RevokeAuth: no password is needed.
func (r *Redis) GrantAuth() {
	r.t.Helper()
	r.Do("CONFIG", "SET", "requirepass", "")
}

// CutPubSub ends all subscriptions and refuses new ones. Everything else works, publishing too, which nobody hears.
func (r *Redis) CutPubSub() {
	r.t.Helper()
	r.Do("ACL", "SETUSER", "default", "-subscribe", "-psubscribe")
	r.Do("CLIENT", "KILL", "TYPE", "pubsub")
}

// HealPubSub undoes CutPubSub.
func (r *Redis) HealPubSub() {
	r.t.Helper()
	r.Do("ACL", "SETUSER", "default", "+subscribe", "+psubscribe")
}

// Order leaves an order in a split's break-glass inbox, as a person with redis-cli does.
func (r *Redis) Order(fleet, split, order string) {
	r.t.Helper()
	r.Do("SET", inboxKey(fleet, split), order)
}

// EvictInbox removes a split's break-glass order, as a server with an evicting policy does when its memory is full.
func (r *Redis) EvictInbox(fleet, split string) {
	r.t.Helper()
	r.Do("DEL", inboxKey(fleet, split))
}

// inboxKey is the key that operators are told to write.
func inboxKey(fleet, split string) string { return "switchback:{" + fleet + "}:kill:" + split }
