package demo

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

const (
	// patience is how long a visitor waits for a whole answer.
	patience = 10 * time.Second
	// maxAnswer bounds what a visitor reads of one answer, in bytes.
	maxAnswer = 1 << 20
)

// result is what a visitor got.
type result int

const (
	served  result = iota // a whole answer
	failed                // an error status, a stream that broke off, or nothing at all
	refused               // the kill switch is on: 503, come back later
)

// answer is one request as its visitor saw it.
type answer struct {
	user    int // index of the visitor
	era     int // the ledger's era when the request began
	variant string
	result  result
	why     string // what was wrong; empty if served
	began   time.Time
	took    time.Duration
}

// question is what every visitor asks.
const question = `{"model":"assistant","stream":true,"messages":[{"role":"user","content":"Hello?"}]}`

// ask sends one question for a user to a proxy and reads the answer to its last byte. Only user, variant, result and
// times of the returned answer are set. If ctx is done meanwhile, ok is false: nobody waited for that answer.
func ask(ctx context.Context, client *http.Client, target, user string) (a answer, ok bool) {
	a.began = time.Now()
	patient, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	a.variant, a.result, a.why = exchange(patient, client, target, user)
	a.took = time.Since(a.began)
	return a, ctx.Err() == nil
}

func exchange(ctx context.Context, client *http.Client, target, user string) (string, result, string) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, target+"/v1/chat/completions",
		strings.NewReader(question))
	if err != nil {
		return "", failed, err.Error()
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("X-User-ID", user)
	response, err := client.Do(request)
	if err != nil {
		return "", failed, err.Error()
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	result, why := judge(response, body, err)
	return response.Header.Get(versionHeader), result, why
}

// judge says what a visitor makes of a response, its body and the error that ended it.
func judge(response *http.Response, body []byte, err error) (result, string) {
	h := response.Header
	switch {
	case response.StatusCode == http.StatusServiceUnavailable && h.Get(versionHeader) == "" && h.Get("Retry-After") != "":
		return refused, "503, to be tried again after " + h.Get("Retry-After") + " s"
	case response.StatusCode != http.StatusOK:
		return failed, fmt.Sprintf("status %d", response.StatusCode)
	case err != nil:
		return failed, "the stream broke off: " + err.Error()
	case !bytes.HasSuffix(body, []byte(done)):
		return failed, "the stream ended too early"
	}
	return served, ""
}
