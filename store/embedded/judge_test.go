package embedded_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/switchback-proxy/switchback/store"
	"github.com/switchback-proxy/switchback/store/embedded"
	"github.com/switchback-proxy/switchback/store/storetest"
)

// judgeFile returns the file of the split's judge.
func judgeFile(folder string) string { return filepath.Join(folder, "judges", split+".json") }

// judged is a judge's first state.
func judged() store.JudgeState {
	return store.JudgeState{Version: 1, Epoch: 2, Folded: 30, Doc: []byte("\x00doc"), Summary: []byte("sum")}
}

// swapJudge puts next in place of prev.
func swapJudge(t *testing.T, s store.Store, prev, next store.JudgeState) {
	t.Helper()
	if err := s.SwapJudges(t.Context(), []store.JudgeSwap{{Split: split, Prev: prev, Next: next}})[0]; err != nil {
		t.Fatalf("SwapJudges: %v", err)
	}
}

// wantJudge wants the judge to be in a state.
func wantJudge(t *testing.T, s store.Store, want store.JudgeState) {
	t.Helper()
	got, err := s.LoadJudge(t.Context(), split)
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("LoadJudge: got %+v, %v (-want +got):\n%s", got, err, diff)
	}
}

// What a judge knows outlives a restart; frames that it has folded are late after it, too.
func TestJudgeOverRestart(t *testing.T) {
	folder := t.TempDir()
	s := open(t, folder)
	state := judged()
	state.Folded = time.Now().Unix()
	swapJudge(t, s, store.JudgeState{}, state)
	closeStore(t, s)
	s = open(t, folder)
	wantJudge(t, s, state)
	id := store.MemberID{Name: "a", Boot: "1"}
	seat := putFrame(t, s, id, store.Frame{Split: split, Epoch: 2, Second: state.Folded, Data: []byte("again")})
	want := store.Seat{Holder: true, Version: 1, Summary: state.Summary, Late: true}
	if diff := cmp.Diff(want, seat); diff != "" {
		t.Errorf("PutFrames: got %+v (-want +got):\n%s", seat, diff)
	}
}

// A judge's file that cannot be read costs what the judge knew, and keeps no proxy from starting.
func TestDamagedJudge(t *testing.T) {
	for name, text := range map[string]string{"empty": "", "torn": `{"version":1,"ep`, "no state": "{}", "a list": "[]",
		"folds before time": `{"version":1,"folded":-1}`} {
		t.Run(name, func(t *testing.T) {
			folder := t.TempDir()
			closeStore(t, open(t, folder))
			put(t, judgeFile(folder), text)
			s := open(t, folder)
			wantJudge(t, s, store.JudgeState{})
			if got := s.Describe().Warning; !strings.Contains(got, filepath.Dir(judgeFile(folder))) || !strings.Contains(got, "anew") {
				t.Errorf("warning: got %q, want the folder, and that the judge begins anew", got)
			}
			swapJudge(t, s, store.JudgeState{}, judged())
			wantJudge(t, s, judged())
			if got := s.Describe().Warning; got != "" {
				t.Errorf("warning once it was written again: got %q, want none", got)
			}
		})
	}
}

// On a disk that takes no files the judge goes on, and it is said.
func TestJudgeThatCannotBeWritten(t *testing.T) {
	folder := t.TempDir()
	s := open(t, folder)
	if err := os.RemoveAll(filepath.Dir(judgeFile(folder))); err != nil {
		t.Fatal(err)
	}
	swapJudge(t, s, store.JudgeState{}, judged())
	wantJudge(t, s, judged())
	if got := s.Describe().Warning; !strings.Contains(got, split) || !strings.Contains(got, "memory only") {
		t.Errorf("warning: got %q, want that the judge works in memory", got)
	}
}

// Of a split that is given up no file is left.
func TestForgottenJudge(t *testing.T) {
	folder := t.TempDir()
	state := written(t, folder, 1)
	s := open(t, folder)
	swapJudge(t, s, store.JudgeState{}, judged())
	tombstone, ev := storetest.Next(state, "forgotten")
	tombstone.Forgotten = time.Now()
	if err := s.Swap(t.Context(), state.Version, tombstone, ev); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(judgeFile(folder)); !os.IsNotExist(err) {
		t.Errorf("the judge's file: got %v, want none", err)
	}
}

// FuzzDecodeJudge: a judge's file is read or refused, and what is read is written so that it is read again.
func FuzzDecodeJudge(f *testing.F) {
	f.Add([]byte(`{"version":1,"epoch":2,"folded":3,"doc":"AAE=","summary":"AA=="}`))
	f.Add([]byte(`{"version":0}`))
	f.Add([]byte(`{"version":1,"summary":""}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		state, err := embedded.DecodeJudge(data)
		if err != nil {
			return
		}
		again, err := embedded.DecodeJudge(embedded.EncodeJudge(t, state))
		if diff := cmp.Diff(state, again); err != nil || diff != "" {
			t.Errorf("DecodeJudge(%q): got %+v, and again %+v, %v", data, state, again, err)
		}
	})
}
