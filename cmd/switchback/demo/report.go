package demo

import (
	"encoding/json"
	"fmt"
	"io"
)

// report is what --json prints.
type report struct {
	OK bool `json:"ok"`
	// Error says which step is broken, and why.
	Error   string  `json:"error,omitempty"`
	Seconds float64 `json:"seconds"`
	// Store is embedded or redis.
	Store             string       `json:"store"`
	Proxies           int          `json:"proxies"`
	Users             int          `json:"users"`
	RequestsPerSecond float64      `json:"requests_per_second"`
	Steps             []stepReport `json:"steps"`
	// Failback is absent if it did not come to that.
	Failback *failback `json:"failback,omitempty"`
}

// stepReport is one step.
type stepReport struct {
	Name    string  `json:"name"`
	OK      bool    `json:"ok"`
	Detail  string  `json:"detail"`
	Began   float64 `json:"began"`   // seconds since the demo began
	Seconds float64 `json:"seconds"` // how long it took
}

func newReport(o options) report {
	store := "embedded"
	if o.redis != "" {
		store = "redis"
	}
	return report{Store: store, Proxies: o.proxyCount(), Users: users, RequestsPerSecond: rps, Steps: []stepReport{}}
}

// add reports a step that has ended.
func (r *report) add(s step) {
	r.Steps = append(r.Steps, stepReport{
		Name:    s.title,
		OK:      s.mark == passed,
		Detail:  s.text,
		Began:   s.began.Seconds(),
		Seconds: s.took.Seconds(),
	})
	r.Seconds = (s.began + s.took).Seconds()
}

// print writes the report of a run that ended with err.
func (r *report) print(out io.Writer, err error) error {
	r.OK = err == nil
	if err != nil {
		r.Error = err.Error()
	}
	doc, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("encode the report: %w", err)
	}
	_, err = fmt.Fprintf(out, "%s\n", doc)
	return err
}
