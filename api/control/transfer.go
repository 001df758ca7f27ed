package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/switchback-proxy/switchback/rollout"
	"github.com/switchback-proxy/switchback/splitter"
	"github.com/switchback-proxy/switchback/store"
)

// ExportFormat is the format of the documents that this release exports.
const ExportFormat = 1

// Export is the answer of GET -/export: States to keep, or to carry into another store. It holds no secrets of the
// fleet, but whoever has a split's salt can work out which users come first.
type Export struct {
	// Format is ExportFormat; it also tells what the document is.
	Format int `json:"switchback_export"`
	// ExportedAt is when, by the answering instance's clock.
	ExportedAt time.Time `json:"exported_at"`
	// Store says where the States come from.
	Store store.Description `json:"store"`
	// States are sorted by split. What a newer release wrote in them is kept.
	States []*splitter.State `json:"states"`
}

// ForgetRequest is the body of POST {split}/forget.
type ForgetRequest struct{ Claim }

// ImportRequest is the body of POST {split}/import. It may be a MiB long.
type ImportRequest struct {
	// State is what was exported; its split must be the path's. Unknown fields in it are kept.
	State *splitter.State `json:"state"`
	// Force imports a State whose stable variant the answering instance's file lacks.
	Force bool `json:"force,omitempty"`
	Claim
}

func (ImportRequest) limit() int64 { return maxImport }

// export answers GET -/export: of the splits that the caller names (?split=a&split=b), else of all.
func (h *handler) export(w http.ResponseWriter, r *http.Request, _ string) error {
	states, err := h.Fleet.Export(r.Context(), slices.Compact(slices.Sorted(slices.Values(r.URL.Query()["split"]))))
	if err != nil {
		return err
	}
	return h.answer(w, r, http.StatusOK, Export{
		Format: ExportFormat, ExportedAt: time.Now().UTC(), Store: h.Fleet.Store(), States: append([]*splitter.State{}, states...),
	})
}

// ParseExport reads an exported document and checks it. Fields that it does not know are no obstacle, and those in States
// are kept; another format is.
func ParseExport(data []byte) (Export, error) {
	var document Export
	if err := json.Unmarshal(data, &document); err != nil {
		return document, fmt.Errorf("no exported document: %w", err)
	}
	switch {
	case document.Format == 0:
		return document, errors.New(`no exported document: it has no "switchback_export"`)
	case document.Format != ExportFormat:
		return document, fmt.Errorf("an exported document of format %d: this release reads format %d", document.Format, ExportFormat)
	case len(document.States) == 0:
		return document, errors.New("an exported document without a state")
	}
	return document, checkStates(document.States)
}

// checkStates refuses invalid States, and two of one split.
func checkStates(states []*splitter.State) error {
	seen := map[string]bool{}
	for n, state := range states {
		if state == nil {
			return fmt.Errorf("state %d of the exported document is null", n+1)
		}
		if err := state.Validate(); err != nil {
			return err
		}
		if seen[state.Split] {
			return fmt.Errorf("the exported document holds two states of split %q", state.Split)
		}
		seen[state.Split] = true
	}
	return nil
}

func forget(ctx context.Context, f Fleet, split string, _ ForgetRequest, by rollout.By) (rollout.Result, error) {
	return f.Forget(ctx, split, by)
}

func importState(ctx context.Context, f Fleet, split string, b ImportRequest, by rollout.By) (rollout.Result, error) {
	if b.State == nil {
		return rollout.Result{}, kindInvalid.problem(`nothing to import: give the "state", one of those that an export lists`)
	}
	if b.State.Split != split {
		return rollout.Result{}, kindInvalid.problem("the state is that of split %q, and the path names %q: they must agree",
			b.State.Split, split)
	}
	if err := b.State.Validate(); err != nil {
		return rollout.Result{}, kindInvalid.problem("%v", err)
	}
	return f.Import(ctx, split, rollout.ImportRequest{State: b.State, Force: b.Force}, by)
}
