package alert_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/switchback-proxy/switchback/alert"
)

// serviceURLs are URLs as each service of shoutrrr takes them.
var serviceURLs = []string{
	"bark://k3y0123456789@example.com/",
	"discord://token0123456789@123456789",
	"generic://example.com/hook",
	"gotify://127.0.0.1:1/AzyoeNS.D4iJLVa",
	"googlechat://chat.googleapis.com/v1/spaces/FOO/messages?key=bar0&token=baz0",
	"hangouts://chat.googleapis.com/v1/spaces/FOO/messages?key=bar0&token=baz0",
	"ifttt://k3y0123456789/?events=switchback",
	"join://shoutrrr:apikey0123@join/?devices=device1",
	"lark://open.larksuite.com/token0123456789",
	"matrix://:t0ken0123@example.com/?rooms=!room:example.com",
	"mattermost://bot@127.0.0.1:1/token0123456789/channel",
	"notifiarr://apikey0123456789?channel=123456789012345678",
	"ntfy://127.0.0.1:1/topic",
	"opsgenie://api.opsgenie.com/eb243592-faa2-4ba2-a551q-1afdf565c889",
	"pagerduty:///0123456789abcdef0123456789abcdef",
	"pushbullet://o.tokentokentokentokentokentoken12/#channel",
	"pushover://shoutrrr:apiToken0123@userKey0123/",
	"rocketchat://example.com/8eGdRzc9r4YYNyvge/2XYQcX9NBwJBKfQnphpebPcnXZcPEi32Nt4NKJfrnbhsbRfX",
	"signal://example.com:443/+11234567890/+10987654321",
	"slack://hook:AAAAAAAAA-BBBBBBBBB-123456789123456789123456@webhook",
	"slack://xoxb:123456789012-1234567890123-4mt0t4l1YL3g1T5L4cK70k3N@C001CH4NN3L",
	"smtp://user:passw0rd@127.0.0.1:1/?from=a@example.com&to=b@example.com",
	"teams://11111111-4444-4444-8444-cccccccccccc@22222222-4444-4444-8444-cccccccccccc/33333333012222222222333333333344/44444444-4444-4444-8444-cccccccccccc/V2ESyij_gAljSoUQHvZoZYzlpAoAXExyOl26dlf1xHEx05?host=test.webhook.office.com",
	"telegram://110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw@telegram?chats=@team",
	"wecom://693axxx6-7aoc-4bc4-97a0-0ec2sifa5aaa",
	"zulip://bot%40example.com:botkey0123@example.com/?stream=alerts&topic=switchback",
}

// A service that cannot be reached, or refuses what it is sent, must say so: what it takes is not told again. Those of
// serviceURLs that do not go by http.DefaultTransport lead to a port of this machine where nobody listens.
func TestNoServiceHidesItsFailure(t *testing.T) {
	for name, ruin := range map[string]func(t *testing.T){"unreachable": unreachable, "refused": refusing} {
		t.Run(name, func(t *testing.T) {
			ruin(t)
			for _, u := range serviceURLs {
				if err := newTarget(t, alert.Config{Name: "x", URL: u}).Send(t.Context(), failback(t)); err == nil {
					t.Errorf("%s: got no error", u)
				}
			}
		})
	}
	served := map[string]bool{}
	for _, u := range serviceURLs {
		scheme, _, _ := strings.Cut(u, ":")
		served[scheme] = true
	}
	for _, scheme := range alert.Schemes() {
		if !served[scheme] {
			t.Errorf("%s is not tried", scheme)
		}
	}
}

// unreachable has no HTTP client of this process reach anybody.
func unreachable(t *testing.T) {
	t.Helper()
	before := http.DefaultTransport
	transport := before.(*http.Transport).Clone()
	transport.DialContext = func(context.Context, string, string) (net.Conn, error) { return nil, errors.New("no network") }
	http.DefaultTransport = transport
	t.Cleanup(func() { http.DefaultTransport = before })
}

// refusing has every HTTP client of this process refused.
func refusing(t *testing.T) {
	t.Helper()
	s := newSink(t)
	s.status, s.answer = http.StatusForbidden, "no"
	everywhere(t, s)
}
