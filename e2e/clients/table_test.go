//go:build unix

package clients

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"text/tabwriter"

	"github.com/google/go-cmp/cmp"
)

// sawShort is a success with only the first half of the answer: a part is taken for the whole.
const sawShort = "short success"

// row is what became of one scene.
type row struct {
	protocol string
	scene    scene
	heard    heard  // by way of the proxy
	said     string // what the proxy counted it as
	ok       bool
}

// saw is what the client told its caller, in a word or two.
func (r row) saw() string {
	if r.heard.Saw == sawSuccess && r.heard.Text != wholeText {
		return sawShort
	}
	return r.heard.Saw
}

// check compares the row with what is promised.
func (r row) check(t *testing.T, want *want) {
	t.Helper()
	if got := r.saw(); got != want.saw {
		t.Errorf("the client saw %q (%+v), want %q", got, r.heard, want.saw)
	}
	if !strings.Contains(r.heard.Detail, want.detail) {
		t.Errorf("the client's error is %q, want %q in it", r.heard.Detail, want.detail)
	}
	if r.said != want.said {
		t.Errorf("the proxy said %q, want %q", r.said, want.said)
	}
}

// compare compares it with what the client sees without the proxy.
func (r row) compare(t *testing.T, direct heard) {
	t.Helper()
	if diff := cmp.Diff(direct, r.heard); diff != "" {
		t.Errorf("the proxy changes what the client sees (-without +with):\n%s", diff)
	}
}

// table collects the rows of all protocols.
type table struct {
	mu   sync.Mutex // protects rows
	rows []row
}

// add adds rows. The tests of several protocols may call it at once.
func (t *table) add(rows []row) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.rows = append(t.rows, rows...)
}

// print writes all rows, by protocol.
func (t *table) print(w io.Writer) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	slices.SortStableFunc(t.rows, func(a, b row) int { return strings.Compare(a.protocol, b.protocol) })
	out := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(out, "protocol\tscene\tclient saw\tproxy said\tok")
	for _, r := range t.rows {
		ok := "ok"
		if !r.ok {
			ok = "NOT OK"
		}
		fmt.Fprintf(out, "%s\t%s\t%s\t%s\t%s\n", r.protocol, r.scene, r.saw(), r.said, ok)
	}
	return out.Flush()
}
