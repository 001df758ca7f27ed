package splitter

import "slices"

// Table is a State compiled for deciding on one instance: which of the variants that this instance can serve gets a
// request. It is immutable; share it behind an atomic pointer and replace it as a whole.
//
// It decides in this order; the first rule that applies is the answer:
//
//  1. The split's kill switch: nobody is served ([ReasonDisabled]).
//  2. A variant that is killed, or that this instance does not know, is absent: what it would get by rule 3, 4 or 6,
//     stable gets ([ReasonDefault], so that it is no evidence on stable: those users were not drawn for it); a pin to it counts for nothing.
//  3. A drill that its user takes part in ([ReasonTargetingMatch]).
//  4. An override of the request ([ReasonTargetingMatch]).
//  5. The pin of its conversation, if its bucket was taken from that variant lately ([ReasonPin]); see [Table.DecidePinned].
//  6. The key's bucket ([ReasonSplit]).
//  7. A request without a key: stable ([ReasonDefault]).
//
// When stable itself would be the answer and cannot serve, nobody is: a killed stable gives [ReasonDisabled], one
// that this instance does not know gives [ReasonError], upon which the caller compiles a [Blind] table around the
// stable of its own configuration. Traffic never falls from stable to another variant.
type Table struct {
	hasher Hasher
	// everyone is the answer to every request, whatever it carries; nil if requests are told apart.
	everyone *Decision
	// drill is where the users of a drill go; nil if there is none.
	drill *drill
	// byVariant holds the answer to an override, by index into the known variants.
	byVariant []Decision
	// byBucket is sorted and covers all buckets.
	byBucket []cell
	// fallback is the answer where stable stands in.
	fallback Decision
	// moves are the latest moves of buckets, from variants that serve here.
	moves []pinMove
	epoch uint64
}

// cell is the answer to the buckets below to, and at or above the preceding cell's to.
type cell struct {
	to       uint32
	decision Decision
}

// MaxKey is how long a key may be, in bytes. Whoever makes out keys passes a longer one over.
const MaxKey = 256

// Request is what a decision is made on. The zero value has no key, no user and no override.
type Request struct {
	// Key is who is being placed; empty means that nobody could be made out.
	Key string
	// User is the key as a keyed hash, as [Drill] lists users. It is looked at only while the table is [Table.Drilling].
	User string
	// Override places the request regardless of weights.
	Override Override
}

// Override is a variant chosen by a matcher or a list of users. The zero value chooses none.
type Override int

// OverrideTo chooses the known variant with the index given.
func OverrideTo(variant int) Override { return Override(variant + 1) }

// Decision is the answer to one request.
type Decision struct {
	// Variant is an index into the known variants, or -1: nobody serves this request.
	Variant int
	// Kill is the kill switch that stands in the way; set with [ReasonDisabled] only, and not to be modified.
	Kill *Kill
	// Bucket is where the key landed; set only where the bucket was asked, which [ReasonSplit] implies.
	Bucket uint32
	// Reason says which rule decided.
	Reason Reason
	// Current says of [ReasonPin] that the conversation was pinned in the State's epoch.
	Current bool
}

// Compile makes the table of a valid State for an instance that can serve the variants known, as configured.
// [Decision].Variant and [OverrideTo] count in known. The State must not be modified afterwards.
func Compile(s *State, known []string) *Table {
	t := &Table{hasher: NewHasher(s.Salt), epoch: s.Epoch}
	if kill := s.KillOf(""); kill != nil {
		t.everyone = disabled(kill)
		return t
	}
	t.fallback = stableDecision(s, known)
	t.byVariant = make([]Decision, len(known))
	for i, name := range known {
		t.byVariant[i] = t.unlessKilled(s, name, Decision{Variant: i, Reason: ReasonTargetingMatch})
	}
	t.drill = t.compileDrill(s, known)
	t.byBucket = make([]cell, len(s.Ranges))
	for i, r := range s.Ranges {
		decision := t.fallback
		if v := slices.Index(known, r.Variant); v >= 0 {
			decision = t.unlessKilled(s, r.Variant, Decision{Variant: v, Reason: ReasonSplit})
		}
		t.byBucket[i] = cell{r.To, decision}
	}
	t.moves = t.compileMoves(s, known)
	return t
}

// Blind makes the table of an instance that knows no State, or none that it can serve: everybody gets the variant
// known[stable] ([ReasonStatic]), overrides included, unless one of the kills covers the split or that variant. The
// kills must not be modified afterwards.
func Blind(known []string, stable int, kills []Kill) *Table {
	if kill := killOf(kills, known[stable]); kill != nil {
		return &Table{everyone: disabled(kill)}
	}
	return &Table{everyone: &Decision{Variant: stable, Reason: ReasonStatic}}
}

// Decide answers one request that belongs to no conversation, or to none that is pinned. It takes no lock and allocates nothing.
func (t *Table) Decide(r Request) Decision {
	switch {
	case t.everyone != nil:
		return *t.everyone
	case t.inDrill(r):
		return t.drill.decision
	case r.Override > 0:
		return t.override(int(r.Override) - 1)
	case r.Key == "":
		return t.fallback
	default:
		return t.at(t.hasher.Bucket(r.Key))
	}
}

// BucketOf returns the key's bucket under the State's salt; it means nothing on a [Blind] table.
func (t *Table) BucketOf(key string) uint32 { return t.hasher.Bucket(key) }

func (t *Table) override(variant int) Decision {
	if variant >= len(t.byVariant) {
		return t.fallback
	}
	return t.byVariant[variant]
}

// at finds the first cell that ends above bucket. By hand, as slices.BinarySearchFunc would cost half as much as the
// hash.
func (t *Table) at(bucket uint32) Decision {
	low, high := 0, len(t.byBucket)
	for low < high {
		middle := int(uint(low+high) >> 1)
		if t.byBucket[middle].to <= bucket {
			low = middle + 1
		} else {
			high = middle
		}
	}
	decision := t.fallback
	if low < len(t.byBucket) {
		decision = t.byBucket[low].decision
	}
	decision.Bucket = bucket
	return decision
}

// unlessKilled returns d, or the fallback if the variant is killed.
func (t *Table) unlessKilled(s *State, variant string, d Decision) Decision {
	if s.KillOf(variant) != nil {
		return t.fallback
	}
	return d
}

// stableDecision is the answer where stable stands in for whoever cannot serve.
func stableDecision(s *State, known []string) Decision {
	if kill := s.KillOf(s.Stable); kill != nil {
		return *disabled(kill)
	}
	stable := slices.Index(known, s.Stable)
	if stable < 0 {
		return Decision{Variant: -1, Reason: ReasonError}
	}
	return Decision{Variant: stable, Reason: ReasonDefault}
}

func disabled(kill *Kill) *Decision {
	return &Decision{Variant: -1, Reason: ReasonDisabled, Kill: kill}
}
