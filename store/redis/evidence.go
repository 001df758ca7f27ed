package redis

import (
	"context"
	"time"

	"github.com/switchback-proxy/switchback/store"
)

// windowsKept is how long an epoch's windows stay after the last was put.
const windowsKept = time.Minute

// PutFrames is one script for each frame, in one pipeline.
func (s *Store) PutFrames(ctx context.Context, from store.MemberID, frames []store.Frame) ([]store.Seat, error) {
	seats, errs := batch(ctx, s, frames, func(f store.Frame) (call, error) {
		return s.putCall(from, f), store.CheckFrame(f)
	}, s.keys.parseSeat)
	return seats, joined(errs, func(i int) string { return frames[i].Split })
}

// putCall is the script that puts a frame.
func (s *Store) putCall(from store.MemberID, f store.Frame) call {
	return call{
		script: putScript,
		keys:   []string{s.keys.evidence(f.Split, f.Epoch, f.Second), s.keys.judge(f.Split), s.keys.windows(f.Split, f.Epoch)},
		args: []any{from.String(), f.Epoch, f.Second, flag(f.Data != nil), f.Data, flag(f.Window != nil), f.Window,
			store.LeaseFor.Microseconds(), int(store.EvidenceKept.Seconds()), store.WindowKept.Microseconds(),
			int(windowsKept.Seconds()), int(store.JudgeKept.Seconds())},
	}
}

// parseSeat reads {1 for the holder, version, summary, 1 if late}.
func (k keys) parseSeat(f store.Frame, reply any) (store.Seat, error) {
	parts, err := stringsOf(reply)
	if err == nil && len(parts) != 4 {
		err = unexpected(reply)
	}
	if err != nil {
		return store.Seat{}, err
	}
	version, err := parseNumber("version", parts[1])
	if err != nil {
		return store.Seat{}, corrupt(k.judge(f.Split), err)
	}
	return store.Seat{Holder: parts[0] == "1", Version: version, Summary: textOrNil(parts[2]), Late: parts[3] == "1"}, nil
}

// secondAsk is one second of a SealAsk.
type secondAsk struct {
	*store.SealAsk
	place  int // of the ask
	second int64
}

// Seal is one script for each second, in one pipeline.
func (s *Store) Seal(ctx context.Context, asks []store.SealAsk) ([][]store.Sealed, error) {
	var seconds []secondAsk
	for i := range asks {
		for _, second := range asks[i].Seconds {
			seconds = append(seconds, secondAsk{&asks[i], i, second})
		}
	}
	found, errs := batch(ctx, s, seconds, func(a secondAsk) (call, error) {
		return s.sealCall(a), store.CheckSeal(*a.SealAsk)
	}, s.keys.parseSealed)
	sealed := make([][]store.Sealed, len(asks))
	for i, a := range seconds {
		if found[i] != nil {
			sealed[a.place] = append(sealed[a.place], *found[i])
		}
	}
	return sealed, joined(errs, func(i int) string { return seconds[i].Split })
}

// sealCall is the script that seals a second.
func (s *Store) sealCall(a secondAsk) call {
	args := []any{a.Epoch, a.second, a.Patience.Microseconds(), int(store.EvidenceKept.Seconds())}
	for _, id := range a.Expected {
		args = append(args, id.String())
	}
	return call{sealScript, []string{s.keys.evidence(a.Split, a.Epoch, a.second), s.keys.judge(a.Split)}, args}
}

// parseSealed reads {late, {missing, …}, {member, frame, …}}; of a second that is not sealed the reply is empty, and so is
// what is returned.
func (k keys) parseSealed(a secondAsk, reply any) (*store.Sealed, error) {
	parts, ok := reply.([]any)
	if ok && len(parts) == 0 {
		return nil, nil
	}
	if !ok || len(parts) != 3 {
		return nil, unexpected(reply)
	}
	late, isNumber := parts[0].(int64)
	missing, err := stringsOf(parts[1])
	if err != nil || !isNumber {
		return nil, unexpected(reply)
	}
	frames, err := parseFrames(parts[2])
	if err != nil {
		return nil, corrupt(k.evidence(a.Split, a.Epoch, a.second), err)
	}
	sealed := &store.Sealed{Second: a.second, Frames: frames, Late: int(late)}
	for _, id := range missing {
		sealed.Missing = append(sealed.Missing, parseMemberID(id))
	}
	return sealed, nil
}

// Windows is one script.
func (s *Store) Windows(ctx context.Context, split string, epoch uint64) (map[store.MemberID][]byte, error) {
	key := s.keys.windows(split, epoch)
	reply, err := s.run(ctx, windowsScript, []string{key}, store.WindowKept.Microseconds())
	if err != nil {
		return nil, err
	}
	windows, err := parseFrames(reply.Val())
	if err != nil {
		return nil, corrupt(key, err)
	}
	return windows, nil
}

// parseFrames reads {member, data, …}.
func parseFrames(reply any) (map[store.MemberID][]byte, error) {
	flat, err := stringsOf(reply)
	if err != nil {
		return nil, err
	}
	frames := make(map[store.MemberID][]byte, len(flat)/2)
	err = pairs(flat, func(id, data string) error {
		frames[parseMemberID(id)] = []byte(data)
		return nil
	})
	return frames, err
}

// flag is how scripts are told yes or no.
func flag(yes bool) string {
	if yes {
		return "1"
	}
	return ""
}

// textOrNil returns what a script says, where nothing is none.
func textOrNil(text string) []byte {
	if text == "" {
		return nil
	}
	return []byte(text)
}
