package splitter

import (
	"errors"
	"fmt"
	"slices"
)

// Share gives a variant a weight.
type Share struct {
	Variant string `json:"variant"`
	Weight  Weight `json:"weight"`
}

// WeightsOf adds up each variant's share; a variant without a range is absent.
func WeightsOf(ranges []Range) map[string]Weight {
	weights := map[string]Weight{}
	for _, r := range ranges {
		weights[r.Variant] += r.weight()
	}
	return weights
}

// Layout makes a split's first ranges: the canary's begins at 0, so that it can grow without moving anybody off it,
// the others follow in the order given. The weights must add up to exactly 100 %; one of 0 % gets no range.
func Layout(weights []Share, canary string) ([]Range, error) {
	if err := validateShares(weights); err != nil {
		return nil, err
	}
	isCanary := func(s Share) bool { return s.Variant == canary }
	ordered := slices.Clone(weights)
	if i := slices.IndexFunc(ordered, isCanary); i > 0 {
		first := ordered[i]
		ordered = slices.Insert(slices.Delete(ordered, i, i+1), 0, first)
	}
	var ranges []Range
	next := uint32(0)
	for _, s := range ordered {
		end := next + uint32(s.Weight)
		ranges = appendRange(ranges, Range{next, end, s.Variant})
		next = end
	}
	return ranges, nil
}

// RenameVariant returns the ranges with one variant's name replaced. The new name must not be another variant's: the
// two would become one.
func RenameVariant(ranges []Range, from, to string) []Range {
	var renamed []Range
	for _, r := range ranges {
		if r.Variant == from {
			r.Variant = to
		}
		renamed = appendRange(renamed, r)
	}
	return renamed
}

// validateShares checks that the variants are named, differ, and add up to 100 %.
func validateShares(shares []Share) error {
	var errs []error
	seen := map[string]bool{}
	sum := uint64(0)
	for _, s := range shares {
		if !ValidName(s.Variant) {
			errs = append(errs, fmt.Errorf("variant %q: %s", s.Variant, nameRule))
		}
		if seen[s.Variant] {
			errs = append(errs, fmt.Errorf("variant %q has two weights: each has one", s.Variant))
		}
		seen[s.Variant] = true
		sum += uint64(s.Weight)
	}
	if sum != uint64(Full) {
		errs = append(errs, fmt.Errorf("weights add up to %v: they must add up to exactly 100%%", percent(sum)))
	}
	return errors.Join(errs...)
}

// percent is a sum of weights as text; it may be greater than any Weight.
func percent(sum uint64) string {
	return Weight(min(sum, uint64(^Weight(0)))).String()
}

// appendRange appends r to ranges in order: an empty one not at all, a neighbour of the same variant by growing the
// last.
func appendRange(ranges []Range, r Range) []Range {
	if r.From == r.To {
		return ranges
	}
	if last := len(ranges) - 1; last >= 0 && ranges[last].Variant == r.Variant && ranges[last].To == r.From {
		ranges[last].To = r.To
		return ranges
	}
	return append(ranges, r)
}

func (r Range) weight() Weight { return Weight(r.To - r.From) }
