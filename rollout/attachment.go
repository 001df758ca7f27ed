package rollout

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"sync/atomic"
	"weak"

	"go.uber.org/zap"

	"github.com/switchback-proxy/switchback/store"
)

// Attachment is one user of a split: one handler of one generation of the configuration.
type Attachment struct {
	// Agents asks the variants as this configuration routes them; nil if nobody can. Set it before the configuration starts.
	Agents Agents

	split      *Split
	def        Definition
	file       store.File // what others are told of def
	generation any
	inForce    bool // its configuration has started; protected by split.mu
	view       atomic.Pointer[View]
}

// View returns what to decide by now. It takes no lock.
func (a *Attachment) View() *View { return a.view.Load() }

// Split returns what the attachment is attached to.
func (a *Attachment) Split() *Split { return a.split }

// Definition returns what the attachment's own file says.
func (a *Attachment) Definition() Definition { return a.def }

// Attach adds a user of a split: a handler of one generation of the configuration (any comparable value). Its definition
// comes into force with the next Start; deciding by its View begins at once. Call Detach once for each success. On a
// running controller it waits, at most half a second, for the store's State.
func (c *Controller) Attach(def Definition, generation any) (*Attachment, error) {
	a, err := c.join(def, generation)
	if err != nil {
		return nil, err
	}
	if a.split.storedState() == nil {
		c.firstLook(a.split)
	}
	a.warnForeign(c.log)
	c.Poke()
	return a, nil
}

// join attaches to the named split, recalled from memory if this is its first user. It holds c.life, so that no split is
// forgotten between being found and being joined.
func (c *Controller) join(def Definition, generation any) (*Attachment, error) {
	c.life.Lock()
	defer c.life.Unlock()
	s := c.lookup(def.Name)
	if s == nil {
		s = newSplit(def.Name, c.flightsOf(def.Name), c.log, c.recut, c.now)
		s.webhooks = newWebhooks(c.opts.Webhooks)
		c.recall(s)
	}
	a, err := s.attach(def, generation)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.splits[s.name] = s
	return a, nil
}

// firstLook loads a split's State if there is a store that answers.
func (c *Controller) firstLook(s *Split) {
	if c.answeringStore() == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), firstContact)
	defer cancel()
	if err := c.reload(ctx, s); err != nil {
		c.log.Debug("no state yet", zap.String("split", s.name), zap.Error(err))
	}
}

// Detach ends what Attach began. A split without users is forgotten here; its State stays in the store.
func (c *Controller) Detach(a *Attachment) {
	c.life.Lock()
	defer c.life.Unlock()
	if !a.split.detach(a) {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.splits[a.split.name] == a.split {
		delete(c.splits, a.split.name)
	}
}

// attach adds a user. Two of one generation must agree in all that the fleet must agree on.
func (s *Split) attach(def Definition, generation any) (*Attachment, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.mayAttach(def, generation); err != nil {
		return nil, err
	}
	file, err := fileOf(def)
	if err != nil {
		return nil, err
	}
	a := &Attachment{split: s, def: def, file: file, generation: generation}
	s.attachments = append(s.attachments, a)
	a.view.Store(s.viewFor(a))
	return a, nil
}

// enforce brings all that is attached into force.
func (s *Split) enforce() {
	s.mu.Lock()
	defer s.mu.Unlock()
	isNew := false
	for _, a := range s.attachments {
		isNew = isNew || !a.inForce
		a.inForce = true
	}
	if isNew {
		clear(s.overruled)
		s.sayWeights()
	}
}

// warnForeign says loudly that the fleet trusts a variant that this file does not have.
func (a *Attachment) warnForeign(log *zap.Logger) {
	state := a.View().State
	if state == nil || a.def.has(state.Stable) {
		return
	}
	log.Error("the state's stable variant is not in this file: the file's own serves everyone here, not ready",
		zap.String("split", a.def.Name), zap.String("stable_by_state", state.Stable), zap.String("stable_by_file", a.def.Stable))
}

// mayAttach checks a definition against its namesakes and, when an older generation serves already, against the State:
// a reload that stable would not survive is refused, and the old configuration goes on. Caller must hold s.mu.
func (s *Split) mayAttach(def Definition, generation any) error {
	reload := false
	for _, other := range s.attachments {
		if other.generation != generation {
			reload = true
		} else if !reflect.DeepEqual(other.def, def) {
			return fmt.Errorf("split %q is defined twice, and differently: the same split in two places must agree in all "+
				"but its routes", def.Name)
		}
	}
	if reload && s.effective != nil && !def.has(s.effective.Stable) {
		return fmt.Errorf("split %q: stable is %q by the state (revision %d), and this file has only %q: either "+
			"`split rename %s %s=NEW`, or `split adopt %s --config FILE` to let the state follow the file", def.Name,
			s.effective.Stable, s.effective.Revision, def.names(), def.Name, s.effective.Stable, def.Name)
	}
	return nil
}

// detach removes a user and reports whether it was the last. Requests of its generation may still come, such as one that
// a handler before it holds up, so its view is kept up to date for as long as anybody can ask for it.
func (s *Split) detach(a *Attachment) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.attachments = slices.DeleteFunc(s.attachments, func(o *Attachment) bool { return o == a })
	s.detached = append(s.detached, weak.Make(a))
	return len(s.attachments) == 0
}

// newestInForce returns the newest attachment whose configuration has started; nil if none has. Caller must hold s.mu.
func (s *Split) newestInForce() *Attachment {
	for _, a := range slices.Backward(s.attachments) {
		if a.inForce {
			return a
		}
	}
	return nil
}

// definition returns what the newest file in force says, or before there is one, the newest. Caller must hold s.mu.
func (s *Split) definition() Definition {
	if def, ok := s.inForce(); ok || len(s.attachments) == 0 {
		return def
	}
	return s.attachments[len(s.attachments)-1].def
}

// inForce returns what the newest file says that has started; false if none has. Caller must hold s.mu.
func (s *Split) inForce() (Definition, bool) {
	if a := s.newestInForce(); a != nil {
		return a.def, true
	}
	return Definition{Name: s.name}, false
}

// Definition returns what the newest file in force says.
func (s *Split) Definition() Definition {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.definition()
}
