package storetest

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/switchback-proxy/switchback/store"
)

// WantClaimed claims, wants these events, by their ids and in this order, and returns the receipts.
func WantClaimed(t testing.TB, s store.Store, ask store.ClaimAsk, want ...string) (receipts []string) {
	t.Helper()
	got, err := s.Claim(t.Context(), ask)
	if err != nil {
		t.Fatalf("Claim: %v", err)
	}
	var ids []string
	for _, d := range got {
		ids, receipts = append(ids, d.Event.ID), append(receipts, d.Receipt)
	}
	if !cmp.Equal(ids, want) {
		t.Errorf("claimed: got %v, want %v", ids, want)
	}
	return receipts
}
