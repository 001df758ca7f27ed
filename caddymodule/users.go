package caddymodule

import (
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	"go.uber.org/zap"
)

// userKeySize is 128 bits, so that they and a key of 39 bytes, such as a UUID, are one block of SHA-256.
const userKeySize = 16

// userHash turns keys into what users are counted by.
type userHash struct {
	secret string // the fleet's, that key was derived from; empty: the process's own
	key    [userKeySize]byte
}

// strangers hashes while the fleet's secret is not known: what it yields means nothing to anybody else.
var strangers = func() *userHash {
	h := new(userHash)
	_, _ = rand.Read(h.key[:]) // never fails: crypto/rand ends the program instead
	return h
}()

// user returns the hash by which a key is counted as a user: SHA-256 of a key derived from the fleet's secret and of the
// user's key, its first 64 bits; zero for nobody. Whoever knows one without the secret cannot tell whose it is, and no
// key can be searched for that shares another's. It allocates nothing.
func (a *App) user(key string) uint64 {
	if key == "" {
		return 0
	}
	return a.userHash().of(key)
}

// drillUser returns how a State has a user who takes part in a drill; empty for nobody, and while the fleet's secret is not
// known.
func (a *App) drillUser(key string) string {
	h := a.userHash()
	if key == "" || h == strangers {
		return ""
	}
	return fmt.Sprintf("%016x", h.of(key))
}

func (h *userHash) of(key string) uint64 {
	var buf [userKeySize + maxKey]byte
	copy(buf[:], h.key[:])
	n := userKeySize + copy(buf[userKeySize:], key)
	sum := sha256.Sum256(buf[:n])
	return max(binary.BigEndian.Uint64(sum[:]), 1) // zero is nobody
}

// userHash returns what users are hashed with now: by the fleet's first secret, so that all of its proxies count one user
// as one.
func (a *App) userHash() *userHash {
	secrets := a.Secrets
	if len(secrets) == 0 {
		secrets = a.controller.Secrets()
	}
	if len(secrets) == 0 {
		return strangers
	}
	if h := a.users.Load(); h != nil && h.secret == secrets[0] {
		return h
	}
	derived, err := hkdf.Key(sha256.New, []byte(secrets[0]), []byte("switchback"), "users", userKeySize)
	if err != nil {
		a.log.Error("users are counted by this process alone", zap.Error(fmt.Errorf("derive a key: %w", err)))
		return strangers
	}
	h := &userHash{secret: secrets[0]}
	copy(h.key[:], derived)
	a.users.Store(h)
	return h
}
