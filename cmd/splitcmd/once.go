package splitcmd

import "strings"

// repeats are parts of an error's chain that say what stands in front of them once more: several layers each name what
// happened, for callers that see only one of them.
var repeats = []struct{ part, said string }{
	{"the store is unavailable", "unavailable"},
	{"nothing was written", "unavailable"},
	{"the change was sent and not confirmed", "did not confirm the change"},
}

// once returns the text of an error, which is a chain ("what failed: why: why"), without what it says twice.
func once(text string) string {
	var said []string
	for _, part := range strings.Split(text, ": ") {
		if !isRepeat(part, said) {
			said = append(said, part)
		}
	}
	return strings.Join(said, ": ")
}

func isRepeat(part string, said []string) bool {
	before := strings.Join(said, ": ")
	for _, r := range repeats {
		if part == r.part && strings.Contains(before, r.said) {
			return true
		}
	}
	return false
}
