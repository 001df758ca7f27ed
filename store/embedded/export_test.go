package embedded

import (
	"testing"

	"github.com/switchback-proxy/switchback/store"
)

// DecodeJudge reads the file of a judge's state.
func DecodeJudge(data []byte) (store.JudgeState, error) { return decodeJudge(data) }

// EncodeJudge makes the file of a judge's state.
func EncodeJudge(t *testing.T, state store.JudgeState) []byte {
	t.Helper()
	data, err := encodeJudge(state)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
