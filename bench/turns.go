package main

import (
	"context"
	"errors"
	"sync"
)

// takeTurns has the n-th visitors of all crowds, which must be of one size, ask by turns, to and fro (first, second,
// second, first), so that whatever else the machine does befalls all crowds alike. It has each crowd asked about so many
// times in all, and tells ask which crowd the visitor is of.
func takeTurns(ctx context.Context, crowds []crowd, times int, ask func(crowd int, v *visitor) error) error {
	var order []int
	for i := range crowds {
		order = append(order, i)
	}
	for i := range crowds {
		order = append(order, len(crowds)-1-i)
	}
	var all sync.WaitGroup
	errs := make([]error, len(crowds[0]))
	for n := range errs {
		all.Go(func() {
			for range times / len(errs) / 2 {
				for _, turn := range order {
					if errs[n] = ask(turn, crowds[turn][n]); errs[n] != nil {
						return
					}
				}
			}
		})
	}
	all.Wait()
	return errors.Join(append(errs, ctx.Err())...)
}
