package splitter

import "unicode"

// Unshown reports whether a character has no place in what a person typed, such as the reason of a change: it could drive a
// terminal, forge a line of a log, or let text read otherwise than it is, as those do that turn the direction of writing.
// The two that join or part letters are left: scripts and emoji need them.
func Unshown(c rune) bool {
	const nonJoiner, joiner = '\u200c', '\u200d'
	return c != nonJoiner && c != joiner && unicode.In(c, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp)
}

// EditDistance tells how far what a person typed is from a word that was perhaps meant: how many letters are to be
// inserted, deleted or replaced to make b of a (Levenshtein's distance), a letter being a byte.
func EditDistance(a, b string) int {
	row := make([]int, len(b)+1) // the distances from what of a has been read to each beginning of b
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			d := diagonal
			if a[i] != b[j] {
				d = 1 + min(diagonal, row[j], row[j+1])
			}
			diagonal, row[j+1] = row[j+1], d
		}
	}
	return row[len(b)]
}
