package redis

import (
	"strconv"
	"strings"

	"github.com/switchback-proxy/switchback/store"
)

// keys builds the names of a fleet's keys.
type keys struct{ fleet string }

func (k keys) control(rest string) string { return "switchback:{" + k.fleet + "}:" + rest }

func (k keys) state(split string) string  { return k.control("state:" + split) }
func (k keys) events(split string) string { return k.control("events:" + split) }

// outbox is the stream of all splits' events for those who are told of them: a group of it for each target.
func (k keys) outbox() string { return k.control("outbox") }

// noted is a string that expires: an event of that id was recorded.
func (k keys) noted(split, id string) string { return k.control("noted:" + split + ":" + id) }

// inbox is where a person with only redis-cli leaves an order to kill or revive a split.
func (k keys) inbox(split string) string { return k.control("kill:" + split) }

// splits is the set of all splits that have a State.
func (k keys) splits() string { return k.control("splits") }

// members is the hash of what each member last reported, seen that of when it last reported, in microseconds since 1970.
// They are apart because the first is long and seldom changes.
func (k keys) members() string { return k.control("members") }
func (k keys) seen() string    { return k.control("seen") }

func (k keys) secret() string { return k.control("secret") }

// changes is the channel of announcements.
func (k keys) changes() string { return k.control("changes") }

// ofSplit has a hash tag of its own, so that what belongs to the evidence of many splits spreads over a Cluster, and that
// of one can be touched together.
func (k keys) ofSplit(split, rest string) string {
	return "switchback:{" + k.fleet + "/" + split + "}:" + rest
}

// evidence is the hash of all frames of one second, and of its seal.
func (k keys) evidence(split string, epoch uint64, second int64) string {
	return k.ofSplit(split, "evidence:"+strconv.FormatUint(epoch, 10)+":"+strconv.FormatInt(second, 10))
}

// judge is the hash of the judge's state, and of the lease on the evidence.
func (k keys) judge(split string) string { return k.ofSplit(split, "judge") }

// windows is the hash of what each member shows, and since when.
func (k keys) windows(split string, epoch uint64) string {
	return k.ofSplit(split, "windows:"+strconv.FormatUint(epoch, 10))
}

// pin is a string that expires.
func (k keys) pin(split, id string) string { return k.ofSplit(split, "pin:"+id) }

// parseMemberID reads what MemberID.String wrote. A boot id has no slash, a name may have.
func parseMemberID(s string) store.MemberID {
	i := strings.LastIndexByte(s, '/')
	if i < 0 {
		return store.MemberID{Name: s}
	}
	return store.MemberID{Name: s[:i], Boot: s[i+1:]}
}
