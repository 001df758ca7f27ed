package embedded

import (
	"encoding/json"
	"fmt"
	"path/filepath"

	"github.com/switchback-proxy/switchback/store"
)

// judgeDoc is what the file of a judge's state holds.
type judgeDoc struct {
	Version uint64 `json:"version"`
	Epoch   uint64 `json:"epoch"`
	Folded  int64  `json:"folded"`
	Late    uint64 `json:"late,omitempty"`
	Doc     []byte `json:"doc"`
	Summary []byte `json:"summary,omitempty"`
}

// judges is what was found of judges in a folder.
type judges struct {
	states map[string]store.JudgeState
	lost   map[string]string // why one cannot be read, by split
}

// judgesIn returns the folder of judges' states.
func judgesIn(folder string) string { return filepath.Join(folder, "judges") }

// readJudges reads all judges' states. One that cannot be read is none: its judge begins anew.
func readJudges(dir *store.Dir) (judges, error) {
	found := judges{states: map[string]store.JudgeState{}, lost: map[string]string{}}
	names, err := dir.List()
	if err != nil {
		return judges{}, store.Unavailable(err)
	}
	for _, name := range names {
		state, err := readJudge(dir, name)
		if err != nil {
			found.lost[name] = fmt.Sprintf("what the judge of %q knew is lost, and it begins anew: %v", name, err)
			continue
		}
		found.states[name] = state
	}
	return found, nil
}

// readJudge reads one judge's state.
func readJudge(dir *store.Dir, name string) (store.JudgeState, error) {
	data, err := dir.Load(name)
	if err != nil {
		return store.JudgeState{}, err
	}
	state, err := decodeJudge(data)
	if err != nil {
		return store.JudgeState{}, fmt.Errorf("%s in folder %s: %w", name, dir.Path(), err)
	}
	return state, nil
}

// decodeJudge decodes a file, and refuses what could not be written over.
func decodeJudge(data []byte) (store.JudgeState, error) {
	var doc judgeDoc
	if err := json.Unmarshal(data, &doc); err != nil {
		return store.JudgeState{}, err
	}
	if doc.Version == 0 || doc.Folded < 0 {
		return store.JudgeState{}, fmt.Errorf("version %d and folded %d: must be greater than 0, and not less", doc.Version,
			doc.Folded)
	}
	doc.Summary = bytesOrNil(doc.Summary)
	return store.JudgeState(doc), nil
}

// encodeJudge encodes what decodeJudge reads.
func encodeJudge(state store.JudgeState) ([]byte, error) { return json.Marshal(judgeDoc(state)) }

// writeJudge replaces the file of a judge's state. Without a disk there is nothing to do.
func (d *disk) writeJudge(split string, state store.JudgeState) error {
	if d == nil {
		return nil
	}
	data, err := encodeJudge(state)
	if err != nil {
		return fmt.Errorf("encode the judge's state of %q: %w", split, err)
	}
	return d.judges.SaveLightly(split, append(data, '\n'))
}

// removeJudge removes the file of a judge's state. Without a disk there is nothing to do.
func (d *disk) removeJudge(split string) error {
	if d == nil {
		return nil
	}
	return d.judges.Remove(split)
}
