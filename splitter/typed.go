package splitter

import "unicode"

// Unshown reports whether a character has no place in what a person typed, such as the reason of a change: it could drive a
// terminal, forge a line of a log, or let text read otherwise than it is, as those do that turn the direction of writing.
// The two that join or part letters are left: scripts and emoji need them.
func Unshown(c rune) bool {
	const nonJoiner, joiner = '\u200c', '\u200d'
	return c != nonJoiner && c != joiner && unicode.In(c, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp)
}
