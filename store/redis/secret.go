package redis

import (
	"context"

	"github.com/switchback-proxy/switchback/store"
)

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
