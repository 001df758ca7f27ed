package stream

import "fmt"

// An End is what became of a response.
type End uint8

// The ends. The zero value is a response that has not ended.
const (
	// Open: nothing that ends the answer has been seen, and the body goes on.
	Open End = iota
	// Finished: the agent said that it is done; or the body ended whole, in a format that says no more than that.
	// Soft ends are finished too (out of tokens, filtered, refused), with their reason as the code.
	Finished
	// Failed: the agent reported an error of its own. Whatever follows cannot take it back.
	Failed
	// CallerError: the agent reported that the request was wrong. No failure of the agent's.
	CallerError
	// Truncated: the body ended before the agent said that it is done.
	Truncated
	// Paused: the agent waits for somebody: a tool's result, a person's answer, a login. Not a failure.
	Paused
	// Aborted: the answer was given up by whoever had asked for it. Says nothing about the agent.
	Aborted
	// NotScanned: the body is encoded, of a kind that is not scanned, or belongs to a status that has said it all.
	NotScanned
	endCount
)

var endNames = [endCount]string{
	Open: "open", Finished: "finished", Failed: "failed", CallerError: "caller_error", Truncated: "truncated",
	Paused: "paused", Aborted: "aborted", NotScanned: "not_scanned",
}

// String is the end's name in lower case.
func (e End) String() string {
	if e < endCount {
		return endNames[e]
	}
	return fmt.Sprintf("End(%d)", uint8(e))
}

// Tokens is what the agent says it consumed. The numbers of a stream are cumulative: the last ones hold.
type Tokens struct {
	In, Out uint64 // In includes what was read from and written to a cache
	Known   bool   // whether the agent said anything
}

// A Report is the verdict on one response.
type Report struct {
	Format Format // Unknown as long as, or because, it was not found
	End    End
	// Code is the protocol's own word or number for this end: an error's code, a reason to stop, a state. It is at
	// most 64 bytes of letters, digits and _.:- and never free text, so that it can be logged and be a label. Empty if
	// the protocol gave none; never empty for Failed.
	Code   string
	Tokens Tokens
}
