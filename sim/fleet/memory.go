package fleet

import (
	"sync/atomic"

	"github.com/switchback-proxy/switchback/rollout"
)

// memory is the disk of an instance as one process of it has it: a process that is dead writes nothing more.
type memory struct {
	rollout.Memory

	ended atomic.Bool
}

// Save writes while the process lives.
func (m *memory) Save(split string, s rollout.Snapshot) error {
	if m.ended.Load() {
		return errEnded
	}
	return m.Memory.Save(split, s)
}
