//go:build unix

package clients

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// outcomes counts requests by what the proxy has made of them: a class and a cause, such as "failure truncated".
type outcomes map[string]int

var requestsTotal = regexp.MustCompile(
	`(?m)^caddy_traffic_split_requests_total\{cause="(\w+)",class="(\w+)",split="([\w-]+)",variant="\w+"\} (\d+)$`)

// outcomes asks the proxy what it has counted for a split so far.
func (p *proxy) outcomes(t *testing.T, split string) outcomes {
	t.Helper()
	counted, err := p.count(split)
	if err != nil {
		t.Fatal(err)
	}
	return counted
}

// count is outcomes for any goroutine.
func (p *proxy) count(split string) (outcomes, error) {
	client := &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", p.admin)
		},
	}}
	resp, err := client.Get("http://127.0.0.1/metrics")
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	counted := outcomes{}
	for _, line := range requestsTotal.FindAllStringSubmatch(string(body), -1) {
		n, err := strconv.Atoi(line[4])
		if err != nil {
			return nil, err
		}
		if line[3] == split {
			counted[line[2]+" "+line[1]] += n
		}
	}
	return counted, nil
}

// minus is what o has beyond the others.
func (o outcomes) minus(others ...outcomes) outcomes {
	rest := maps.Clone(o)
	for _, other := range others {
		for what, n := range other {
			rest[what] -= n
		}
	}
	maps.DeleteFunc(rest, func(_ string, n int) bool { return n == 0 })
	return rest
}

func (o outcomes) sum() (n int) {
	for _, count := range o {
		n += count
	}
	return n
}

// String is the one outcome that there should be, or everything that there is.
func (o outcomes) String() string {
	var parts []string
	for _, what := range slices.Sorted(maps.Keys(o)) {
		if o[what] != 1 {
			what = fmt.Sprintf("%d × %s", o[what], what)
		}
		parts = append(parts, what)
	}
	if len(parts) == 0 {
		return "nothing"
	}
	return strings.Join(parts, ", ")
}
