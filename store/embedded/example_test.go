package embedded_test

import (
	"context"
	"fmt"
	"os"

	"github.com/switchback-proxy/switchback/splitter"
	"github.com/switchback-proxy/switchback/store/embedded"
	"github.com/switchback-proxy/switchback/store/storetest"
)

func Example() {
	folder, err := os.MkdirTemp("", "switchback")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(folder)
	s, err := embedded.Open(folder)
	if err != nil {
		panic(err)
	}
	defer s.Close()

	ctx := context.Background()
	first, event := storetest.First("assistant", "c0ffee")
	fmt.Println(s.Swap(ctx, splitter.Version{}, first, event))
	fmt.Println(s.Swap(ctx, splitter.Version{}, first, event)) // a retry
	next, event := storetest.Next(first, "decaf")
	fmt.Println(s.Swap(ctx, splitter.Version{Revision: 1, ID: "tea"}, next, event))
	// Output:
	// <nil>
	// <nil>
	// the state was changed by somebody else meanwhile: "assistant" is at revision 1 (c0ffee), not 1 (tea)
}
