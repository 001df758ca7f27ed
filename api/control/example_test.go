package control_test

import (
	"context"
	"fmt"
	"net/http/httptest"
	"time"

	"github.com/switchback-proxy/switchback/api/control"
	"github.com/switchback-proxy/switchback/splitter"
)

// Ten percent of the users for green, and no further until every proxy has it.
func ExampleClient_SetWeights() {
	server := httptest.NewServer(handlerOf(newFleet()))
	defer server.Close()

	client := control.NewClient(server.URL, server.Client())
	change, err := client.SetWeights(context.Background(), "assistant", control.WeightsRequest{
		Weights: map[string]splitter.Weight{"green": 10_000}, // 10%
		Claim:   control.Claim{Actor: "alice", Reason: "first tenth"},
	}, control.Wait(2*time.Second))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(change.Confirmation.Summary)
	// Output: 2 of 2 instances in 14 ms
}
