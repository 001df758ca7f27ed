package redis

import (
	"log/slog"
	"sync"
)

// oddities remembers which inboxes hold something that is no order, so that each is told of once and not each second.
type oddities struct {
	mu   sync.Mutex // protects following fields
	told map[string]string
}

// tell logs what is new among the odd inboxes, by split.
func (o *oddities) tell(logger *slog.Logger, odd map[string]string) {
	o.mu.Lock()
	before := o.told
	o.told = odd
	o.mu.Unlock()
	for split, why := range odd {
		if before[split] != why {
			logger.Warn("the break-glass inbox holds something that is no order; write a text with SET", "split", split,
				"error", why)
		}
	}
}
