package embedded

import (
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"time"

	"github.com/switchback-proxy/switchback/store"
)

// group is how far a group of the outbox has come.
type group struct {
	after  store.Cursor           // what is here and before is acknowledged, or was there before the group
	acked  map[store.Cursor]bool  // what else is acknowledged
	claims map[store.Cursor]claim // what is claimed and not acknowledged; in memory only
}

// claim is when something was claimed last, and how often.
type claim struct {
	at    time.Time
	tries int
}

// newGroup returns a group that begins with the events that follow a cursor.
func newGroup(after store.Cursor) *group {
	return &group{after: after, acked: map[store.Cursor]bool{}, claims: map[store.Cursor]claim{}}
}

// claim claims what is free in an outbox, the oldest first.
func (g *group) claim(outbox []entry, ask store.ClaimAsk, now time.Time) []store.Delivery {
	if len(g.claims) > store.OutboxKept {
		g.forget(outbox)
	}
	var out []store.Delivery
	limit := store.Page(ask.Limit)
	for _, e := range g.open(outbox) {
		if len(out) == limit {
			break
		}
		before, isClaimed := g.claims[e.at]
		if g.acked[e.at] || isClaimed && now.Sub(before.at) < ask.Idle {
			continue
		}
		c := claim{at: now, tries: before.tries + 1}
		g.claims[e.at] = c
		ev := e.event
		ev.Cursor = ""
		out = append(out, store.Delivery{Receipt: e.at.String(), Event: ev, Tries: c.tries})
	}
	return out
}

// open returns the part of an outbox that comes after all that is acknowledged in one piece.
func (g *group) open(outbox []entry) []entry {
	i, isThere := slices.BinarySearchFunc(outbox, g.after, func(e entry, at store.Cursor) int { return e.at.Compare(at) })
	if isThere {
		i++
	}
	return outbox[i:]
}

// acknowledge returns the group that has acknowledged what it had claimed and the receipts name, and whether that is any.
// What the outbox no longer keeps is forgotten.
func (g *group) acknowledge(outbox []entry, receipts []string) (*group, bool) {
	next := &group{after: g.after, acked: maps.Clone(g.acked), claims: maps.Clone(g.claims)}
	isNews := false
	for _, receipt := range receipts {
		at, err := store.ParseCursor(receipt)
		if _, isClaimed := next.claims[at]; err != nil || !isClaimed {
			continue
		}
		isNews, next.acked[at] = true, true
		delete(next.claims, at)
	}
	if !isNews {
		return g, false
	}
	for _, e := range next.open(outbox) {
		if !next.acked[e.at] {
			break
		}
		next.after = e.at
	}
	next.forget(outbox)
	return next, true
}

// forget drops what is known of single events that the group has behind it or that the outbox no longer keeps.
func (g *group) forget(outbox []entry) {
	isGone := func(at store.Cursor) bool {
		return at.Compare(g.after) <= 0 || len(outbox) == 0 || at.Compare(outbox[0].at) < 0
	}
	maps.DeleteFunc(g.acked, func(at store.Cursor, _ bool) bool { return isGone(at) })
	maps.DeleteFunc(g.claims, func(at store.Cursor, _ claim) bool { return isGone(at) })
}

// groupDoc is what a group's file holds: cursors.
type groupDoc struct {
	After        string   `json:"after"`
	Acknowledged []string `json:"acknowledged,omitempty"`
}

// groupsIn returns the folder of groups.
func groupsIn(folder string) string { return filepath.Join(folder, "groups") }

// readGroups reads all groups. One that cannot be read begins anew with its next claim; the texts say which.
func readGroups(dir *store.Dir) (map[string]*group, []string, error) {
	names, err := dir.List()
	if err != nil {
		return nil, nil, store.Unavailable(err)
	}
	groups := make(map[string]*group, len(names))
	var lost []string
	for _, name := range names {
		data, err := dir.Load(name)
		if err == nil {
			groups[name], err = decodeGroup(data)
		}
		if err != nil {
			delete(groups, name)
			lost = append(lost, fmt.Sprintf("how far %q had come with its events is lost, and it begins anew: %v", name, err))
		}
	}
	return groups, lost, nil
}

// decodeGroup reads a group's file.
func decodeGroup(data []byte) (*group, error) {
	var doc groupDoc
	if err := json.Unmarshal(data, &doc); err != nil {
		return nil, err
	}
	after, err := store.ParseCursor(doc.After)
	if err != nil {
		return nil, err
	}
	g := newGroup(after)
	for _, text := range doc.Acknowledged {
		at, err := store.ParseCursor(text)
		if err != nil {
			return nil, err
		}
		g.acked[at] = true
	}
	return g, nil
}

// encodeGroup makes what decodeGroup reads.
func encodeGroup(g *group) ([]byte, error) {
	doc := groupDoc{After: g.after.String()}
	for _, at := range slices.SortedFunc(maps.Keys(g.acked), store.Cursor.Compare) {
		doc.Acknowledged = append(doc.Acknowledged, at.String())
	}
	return json.Marshal(doc)
}

// writeGroup replaces a group's file. Without a disk there is nothing to do.
func (d *disk) writeGroup(name string, g *group) error {
	if d == nil {
		return nil
	}
	data, err := encodeGroup(g)
	if err != nil {
		return fmt.Errorf("encode the group %q: %w", name, err)
	}
	return d.groups.Save(name, append(data, '\n'))
}
