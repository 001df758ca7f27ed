package control

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/switchback-proxy/switchback/splitter"
)

// entityTag returns a version as a strong entity tag: "<revision>-<id>", quotes included.
func entityTag(v splitter.Version) string {
	return `"` + strconv.FormatUint(v.Revision, 10) + "-" + v.ID + `"`
}

// parseEntityTag returns the version that an entity tag of ours names.
func parseEntityTag(tag string) (splitter.Version, bool) {
	inner, quoted := strings.CutPrefix(tag, `"`)
	inner, closed := strings.CutSuffix(inner, `"`)
	number, id, found := strings.Cut(inner, "-")
	if !quoted || !closed || !found || id == "" || strings.ContainsAny(id, "\" ,") {
		return splitter.Version{}, false
	}
	revision, err := strconv.ParseUint(number, 10, 64)
	if err != nil {
		return splitter.Version{}, false
	}
	return splitter.Version{Revision: revision, ID: id}, true
}

// precondition returns the version that a change's If-Match names, or nil if any will do (no header, or "*", as a
// split that is served always has a State). A tag that cannot be one of ours is refused rather than taken for an old
// one, so that a slip of the pen is not mistaken for a colleague's change.
func precondition(r *http.Request) (*splitter.Version, error) {
	tags := r.Header.Values("If-Match")
	if len(tags) == 0 || len(tags) == 1 && strings.TrimSpace(tags[0]) == "*" {
		return nil, nil
	}
	if len(tags) > 1 {
		return nil, kindMalformed.problem("If-Match is given %d times: one entity tag is needed", len(tags))
	}
	v, ok := parseEntityTag(strings.TrimSpace(tags[0]))
	if !ok {
		return nil, kindMalformed.problem(`If-Match %q: one entity tag as the ETag of a status is needed, quotes included: "12-c0ffee"`, tags[0])
	}
	return &v, nil
}

// FormatVersion writes a version as an ETag has it, without the quotes: 12-c0ffee.
func FormatVersion(v splitter.Version) string { return strings.Trim(entityTag(v), `"`) }

// ParseVersion reads what FormatVersion writes.
func ParseVersion(text string) (splitter.Version, error) {
	v, ok := parseEntityTag(`"` + text + `"`)
	if !ok {
		return v, fmt.Errorf("version %q: a revision and a change id are needed, as in 12-c0ffee", text)
	}
	return v, nil
}
