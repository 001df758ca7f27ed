package splitter

import (
	"math/bits"

	"github.com/cespare/xxhash/v2"
)

// Buckets is how many buckets keys fall into; one is a thousandth of a percent.
const Buckets = 100_000

// Hasher places keys in buckets under one salt: equal keys in the same bucket, always and on every machine, unequal
// ones independently. Under another salt the placement is another one, unrelated to the first.
//
// The bucket is ⌊h · 100 000 / 2⁶⁴⌋, where h is the XXH64 of the key (https://xxhash.com), seeded with the XXH64 of
// the salt, seed 0. All of it is integer arithmetic: no rounding, so no key slips into a share of 0 %. XXH64 ends in
// an avalanche of its own, so its high bits, which decide, depend on every bit of key and salt alike.
//
// It is no cryptographic hash: who knows the salt can search for keys that fall where they want them.
type Hasher struct {
	seed uint64
}

// NewHasher returns the Hasher of a salt. Salts may resemble each other ("a1", "a2").
func NewHasher(salt string) Hasher { return Hasher{seed: xxhash.Sum64String(salt)} }

// Bucket returns the key's bucket, 0 ≤ bucket < [Buckets]. It does not allocate.
func (h Hasher) Bucket(key string) uint32 {
	bucket, _ := bits.Mul64(h.sum(key), Buckets)
	return uint32(bucket)
}

func (h Hasher) sum(key string) uint64 {
	var digest xxhash.Digest
	digest.ResetWithSeed(h.seed)
	_, _ = digest.WriteString(key) // documented to return len(key), nil always
	return digest.Sum64()
}
