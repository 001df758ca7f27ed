package redis

import (
	"context"
	"time"

	"github.com/switchback-proxy/switchback/store"
)

// evidenceKept is how long an epoch's key stays after the last frame.
const evidenceKept = time.Minute

// Exchange is one script.
func (s *Store) Exchange(ctx context.Context, split string, epoch uint64, from store.MemberID, frame []byte) (map[store.MemberID][]byte, error) {
	key := s.keys.evidence(split, epoch)
	reply, err := s.run(ctx, exchangeScript, []string{key}, from.String(), frame, store.FrameKept.Microseconds(),
		int(evidenceKept.Seconds()))
	if err != nil {
		return nil, err
	}
	flat, err := reply.StringSlice()
	if err != nil {
		return nil, corrupt(key, err)
	}
	frames := make(map[store.MemberID][]byte, len(flat)/2)
	err = pairs(flat, func(id, data string) error {
		frames[parseMemberID(id)] = []byte(data)
		return nil
	})
	if err != nil {
		return nil, corrupt(key, err)
	}
	return frames, nil
}

// Secret is one script.
func (s *Store) Secret(ctx context.Context, proposed string) (string, error) {
	reply, err := s.run(ctx, secretScript, []string{s.keys.secret()}, proposed)
	if err != nil {
		return "", err
	}
	secret, err := reply.Text()
	if err != nil {
		return "", corrupt(s.keys.secret(), err)
	}
	if secret == "" {
		return "", store.ErrNoSecret
	}
	return secret, nil
}
