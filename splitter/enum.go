package splitter

import (
	"fmt"
	"slices"
	"strings"
)

// enumTexts holds the texts of an enumeration's constants, which count from 0.
type enumTexts []string

// name returns the text of value i, or typeName(i) if there is none.
func (t enumTexts) name(i int, typeName string) string {
	if i >= len(t) {
		return fmt.Sprintf("%s(%d)", typeName, i)
	}
	return t[i]
}

// marshal returns the text of value i; what says in the error what kind of value it is.
func (t enumTexts) marshal(i int, what string) ([]byte, error) {
	if i >= len(t) {
		return nil, fmt.Errorf("%s %d: there are only %d", what, i, len(t))
	}
	return []byte(t[i]), nil
}

// parse is the inverse of marshal.
func (t enumTexts) parse(text, what string) (int, error) {
	i := slices.Index(t, text)
	if i < 0 {
		return 0, fmt.Errorf("%s %q: must be one of %s", what, text, strings.Join(t, ", "))
	}
	return i, nil
}
