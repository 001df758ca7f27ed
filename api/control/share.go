package control

import (
	"github.com/switchback-proxy/switchback/rollout"
	"github.com/switchback-proxy/switchback/splitter"
)

// Share is what an arm of a trial got, beside what its weight promises. Shares are of stable and canary together, from 0
// to 1.
type Share struct {
	Variant string          `json:"variant"`
	Weight  splitter.Weight `json:"weight"`
	// Requests counts the judged ones since the plan's present step was reached; 0, as RequestShare, if weights have changed
	// in that time, for what is due is not known then.
	Requests     uint64  `json:"requests"`
	RequestShare float64 `json:"request_share"`
	// Users counts those since the trial began; 0, as UserShare, if weights have changed since.
	Users     uint64  `json:"users"`
	UserShare float64 `json:"user_share"`
}

// sharesOf returns shares as the API says them.
func sharesOf(shares []rollout.ShareStatus) []Share {
	var said []Share
	for _, s := range shares {
		said = append(said, Share(s))
	}
	return said
}
