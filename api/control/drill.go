package control

import (
	"context"
	"net/http"
	"time"

	"github.com/switchback-proxy/switchback/health"
	"github.com/switchback-proxy/switchback/rollout"
	"github.com/switchback-proxy/switchback/splitter"
)

// drillLimit bounds a drill, which waits for the fleet twice.
const drillLimit = time.Minute

// DrillRequest is the body of POST {split}/drill.
type DrillRequest struct {
	// Users are the keys of test users, by which requests of theirs are known: from 1 to 20, of at most 256 bytes
	// each. They must have agreed, as the canary serves them for some seconds.
	Users []string `json:"users"`
	Claim
}

// Drill is the answer of POST {split}/drill: how a rehearsed failback went.
type Drill struct {
	Split  string `json:"split"`
	Passed bool   `json:"passed"`
	// Steps are what was tried, in order; after one that has failed come only those that clear up.
	Steps []DrillStep `json:"steps"`
	// Took is how long all of it took.
	Took health.Duration `json:"took"`
	// Event is what was logged.
	Event Event `json:"event"`
}

// DrillStep is one thing that a drill tried.
type DrillStep struct {
	Name string          `json:"name"`
	Text string          `json:"text"`
	OK   bool            `json:"ok"`
	Took health.Duration `json:"took"`
}

// drill answers POST {split}/drill. Like a change it goes on if the caller hangs up, so that it clears up.
func (h *handler) drill(w http.ResponseWriter, r *http.Request, split string) error {
	var body DrillRequest
	if err := decode(w, r, body.limit(), &body); err != nil {
		return err
	}
	if err := checkUsers(body.Users); err != nil {
		return err
	}
	by, err := h.by(r, body.claim())
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), drillLimit)
	defer cancel()
	report, err := h.Fleet.Drill(ctx, split, rollout.DrillRequest{Users: body.Users}, by)
	if err != nil {
		return h.withCurrent(split, err)
	}
	return h.answer(w, r, http.StatusOK, drillOf(split, report))
}

// checkUsers refuses keys that no test user has. It does not repeat them: answers are logged.
func checkUsers(users []string) error {
	if len(users) == 0 || len(users) > rollout.MaxDrillUsers {
		return kindInvalid.problem(`"users" has %d: from 1 to %d test users are needed`, len(users), rollout.MaxDrillUsers)
	}
	for n, user := range users {
		if user == "" || len(user) > splitter.MaxKey {
			return kindInvalid.problem(`"users": the key of number %d has %d bytes: from 1 to %d are needed`, n+1, len(user),
				splitter.MaxKey)
		}
	}
	return nil
}

func drillOf(split string, report rollout.DrillReport) Drill {
	d := Drill{Split: split, Passed: report.Passed, Steps: make([]DrillStep, 0, len(report.Steps)), Took: shown(report.Took), Event: report.Event}
	for _, s := range report.Steps {
		d.Steps = append(d.Steps, DrillStep{Name: s.Name, Text: s.Text, OK: s.OK, Took: shown(s.Took)})
	}
	return d
}

// shown rounds a duration to what people read of it.
func shown(d time.Duration) health.Duration { return health.Duration(d.Round(time.Microsecond)) }

// RunningDrill is a drill while it lasts. The test users stay unnamed.
type RunningDrill struct {
	ID string `json:"id"`
	// Variant serves the test users.
	Variant string `json:"variant"`
	// Users is how many they are.
	Users int `json:"users"`
	// Until is when it ends if nobody ends it, by the store's clock.
	Until time.Time `json:"until"`
}

func runningDrillOf(d *splitter.Drill) *RunningDrill {
	if d == nil {
		return nil
	}
	return &RunningDrill{ID: d.ID, Variant: d.Variant, Users: len(d.Users), Until: d.Until}
}

// Drill rehearses a failback with test users. One that has failed is no error.
func (c *Client) Drill(ctx context.Context, split string, r DrillRequest, o ...Option) (Drill, error) {
	return ask[Drill](ctx, c, http.MethodPost, split, "drill", r, o)
}
