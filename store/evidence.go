package store

import (
	"errors"
	"fmt"
	"time"
)

// What the store keeps of evidence, by its own clock, and how much at once.
const (
	// EvidenceKept is how long the frames of a second are kept if nobody folds them. A frame whose second is farther away
	// than that, either way, is late.
	EvidenceKept = 3 * time.Minute
	// WindowKept is how old a window may be that Windows still returns: three times as old as one of an instance that
	// puts one every ten seconds, as instances do between trials.
	WindowKept = 30 * time.Second
	// LeaseFor is how long a member holds a split's evidence after it has last put a frame.
	LeaseFor = 3 * time.Second
	// JudgeKept is how long the judge's state of a split is kept that nobody puts frames of.
	JudgeKept = 30 * 24 * time.Hour

	// MaxFrame, MaxWindow, MaxJudge and MaxSummary bound Frame.Data, Frame.Window, JudgeState.Doc and JudgeState.Summary,
	// in bytes.
	MaxFrame   = 64 << 10
	MaxWindow  = 256 << 10
	MaxJudge   = 256 << 10
	MaxSummary = 4 << 10

	// MaxCleared is how many seconds one swap of the judge's state removes; those before them expire.
	MaxCleared = 64
)

// Frame is what one member saw of one split in one second.
type Frame struct {
	Split string
	Epoch uint64
	// Second is what Data belongs to: a Unix second by the store's clock.
	Second int64
	// Data is evidence for the judge, opaque here; nil if there is none this time. Whoever saw nothing says so, with
	// evidence of nothing.
	Data []byte
	// Window is what the member shows people, opaque here. It is kept as the member's latest; nil leaves the last one.
	Window []byte
}

// Seat is what a member learns when it puts a frame.
type Seat struct {
	// Holder says that the member holds the split's evidence for the next LeaseFor: it is the one to seal and fold. That
	// only saves the others the work; two at once do no harm.
	Holder bool
	// Version is that of the judge's state; 0 if there is none yet.
	Version uint64
	// Summary is that of the judge's state; nil if there is none.
	Summary []byte
	// Late says that the frame was not taken, as its second was sealed or folded before it came, is out of EvidenceKept, or
	// belongs to an epoch before that of the judge's state.
	Late bool
}

// SealAsk asks for seconds of a split's epoch to be sealed.
type SealAsk struct {
	Split   string
	Epoch   uint64
	Seconds []int64
	// Expected are the members whose frames make a second complete. With none, only Patience seals one.
	Expected []MemberID
	// Patience is how long after a second's end it is sealed without the frames that are missing.
	Patience time.Duration
}

// Sealed is a second to which nothing is added any more. Whoever asks for it gets the same, byte for byte, until it is
// folded or EvidenceKept has passed.
type Sealed struct {
	Second int64
	// Frames holds the evidence of all members whose frames came in time, expected or not.
	Frames map[MemberID][]byte
	// Missing are the members that were expected when the second was sealed, and of whom there was no frame.
	Missing []MemberID
	// Late counts the frames that came since.
	Late int
}

// JudgeState is what the judge of a split knows. The zero JudgeState means that there is none yet.
type JudgeState struct {
	// Version counts the swaps: 1 for the first.
	Version uint64
	Epoch   uint64
	// Folded is the second up to which, and including which, the evidence of Epoch is in Doc; 0 if none is.
	Folded int64
	// Late counts the frames of the split that came too late. The store counts it; a swap leaves it.
	Late uint64
	// Doc is opaque here.
	Doc []byte
	// Summary is what everybody learns of Doc with each frame that they put, opaque here; nil if nothing.
	Summary []byte
}

// JudgeSwap puts Next in place of Prev.
type JudgeSwap struct {
	Split string
	// Prev is what Next was made from, as LoadJudge returned it or a swap wrote it. Its Doc and Summary are not looked at.
	Prev JudgeState
	Next JudgeState
}

// CheckFrame refuses a frame that no store may take, before the store is asked. Every Store calls it first.
func CheckFrame(f Frame) error {
	err := errors.Join(checkName(f.Split), checkNumber("epoch", f.Epoch), checkSecond(f.Second),
		checkSize("evidence", f.Data, MaxFrame), checkSize("window", f.Window, MaxWindow))
	if err != nil {
		return fmt.Errorf("frame of %q must not be put: %w", f.Split, err)
	}
	return nil
}

// CheckSeal refuses to ask for what cannot be sealed. Every Store calls it first.
func CheckSeal(ask SealAsk) error {
	errs := []error{checkName(ask.Split), checkNumber("epoch", ask.Epoch)}
	for _, second := range ask.Seconds {
		errs = append(errs, checkSecond(second))
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("evidence of %q cannot be sealed: %w", ask.Split, err)
	}
	return nil
}

// CheckJudge refuses a judge's state that no store may write. Every Store calls it first.
func CheckJudge(s JudgeSwap) error {
	errs := []error{checkName(s.Split), checkNumber("version", s.Next.Version), checkNumber("epoch", s.Next.Epoch),
		checkSecond(s.Next.Folded), checkSize("document", s.Next.Doc, MaxJudge), checkSize("summary", s.Next.Summary, MaxSummary)}
	if s.Next.Version != s.Prev.Version+1 {
		errs = append(errs, fmt.Errorf("its version %d must be one greater than the previous %d", s.Next.Version, s.Prev.Version))
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("judge's state of %q must not be written: %w", s.Split, err)
	}
	return nil
}

// Cleared returns the seconds whose frames are removed with the swap, at most MaxCleared, in order.
func (s JudgeSwap) Cleared() []int64 {
	first := s.Next.Folded - MaxCleared + 1
	if s.Prev.Epoch == s.Next.Epoch {
		first = max(first, s.Prev.Folded+1)
	}
	var seconds []int64
	for second := max(first, 1); second <= s.Next.Folded; second++ {
		seconds = append(seconds, second)
	}
	return seconds
}

// JudgeConflict is the error of a swap that found another judge's state than it was made from, or one that is farther.
func JudgeConflict(s JudgeSwap, have JudgeState) error {
	return fmt.Errorf("%w: the judge of %q is at version %d (epoch %d, folded to %d), not %d (epoch %d, to be folded to %d)",
		ErrConflict, s.Split, have.Version, have.Epoch, have.Folded, s.Prev.Version, s.Next.Epoch, s.Next.Folded)
}

// Follows reports whether the swap may put Next in place of have, which is what is stored: it was made from that, and
// leads neither to an earlier epoch nor to a second before.
func (s JudgeSwap) Follows(have JudgeState) bool {
	goesBack := s.Next.Epoch < have.Epoch || s.Next.Epoch == have.Epoch && s.Next.Folded < have.Folded
	return have.Version == s.Prev.Version && !goesBack
}

// InReach reports whether frames of a second are taken at now, the store's clock.
func InReach(second int64, now time.Time) bool {
	const reach = int64(EvidenceKept / time.Second)
	return second >= now.Unix()-reach && second <= now.Unix()+reach
}

// checkSecond refuses what is no Unix second that everybody could read.
func checkSecond(second int64) error {
	if second < 0 || second > maxNumber {
		return fmt.Errorf("its second %d must be 0 to %d (2^53)", second, uint64(maxNumber))
	}
	return nil
}

// checkSize refuses what is too long to be passed on each second.
func checkSize(name string, data []byte, limit int) error {
	if len(data) > limit {
		return fmt.Errorf("its %s has %d bytes: must be at most %d", name, len(data), limit)
	}
	return nil
}
