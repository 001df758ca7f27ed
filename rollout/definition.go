package rollout

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/switchback-proxy/switchback/health"
	"github.com/switchback-proxy/switchback/splitter"
)

// Definition is what a configuration file says of a split, as far as the fleet must agree on it: all but the routes.
type Definition struct {
	Name     string    `json:"name"`
	Stable   string    `json:"stable"`
	Canary   string    `json:"canary,omitempty"`
	Variants []Variant `json:"variants"`
	Policy   Policy    `json:"policy"`
	// Plan is what a rollout goes by that is started without a plan of its own; nil: [DefaultPlan].
	Plan *Plan `json:"plan,omitempty"`
	// Bake is how long a plan's steps last that have no time of their own, as far as the file says so; 0 if it does not.
	Bake health.Duration `json:"bake,omitempty"`
	// Contact is who is called when a rollout needs a person; empty: nobody is named.
	Contact string `json:"contact,omitempty"`
	// DrillEvery is how often a failback is to be rehearsed; 0: every 30 days, and a preflight only warns of one that is due.
	DrillEvery health.Duration `json:"drill_every,omitempty"`
	// Conversations says how conversations stay where they began; nil if none is told from others.
	Conversations *ConversationPolicy `json:"conversations,omitempty"`
	// Overrides names the variants that some requests are sent to whatever the weights, each once, sorted.
	Overrides []string `json:"overrides,omitempty"`
}

// Variant is one variant as configured.
type Variant struct {
	Name string `json:"name"`
	// Weight counts only while the store has no State for the split.
	Weight splitter.Weight `json:"weight"`
	// Version is the declared build or image digest; a new one begins a new epoch. Empty if not declared.
	Version string `json:"version,omitempty"`
}

// Policy says how a split is judged; it is frozen into the State when an epoch begins.
type Policy struct {
	// Failback holds the absolute limits; nil means that nothing fails back by itself.
	Failback *health.Limits `json:"failback,omitempty"`
	// Judge says how the canary is compared with the baseline; nil means that it is not, and is judged by the limits alone.
	Judge *health.Settings `json:"judge,omitempty"`
	// Cooldown is how long after a failback the canary may not be increased without force; doubled each time until a
	// promotion, at most a day. Default 15m.
	Cooldown health.Duration `json:"cooldown"`
}

// names returns the configured variants' names, in order.
func (d Definition) names() []string {
	names := make([]string, len(d.Variants))
	for i, v := range d.Variants {
		names[i] = v.Name
	}
	return names
}

func (d Definition) has(variant string) bool { return slices.Contains(d.names(), variant) }

func (d Definition) weights() map[string]splitter.Weight {
	w := make(map[string]splitter.Weight, len(d.Variants))
	for _, v := range d.Variants {
		w[v.Name] = v.Weight
	}
	return w
}

// version returns the version that a variant declares; empty if it does not, or there is no such variant.
func (d Definition) version(variant string) string {
	for _, v := range d.Variants {
		if v.Name == variant {
			return v.Version
		}
	}
	return ""
}

// declared returns the declared versions; nil if there are none.
func (d Definition) declared() map[string]string {
	var m map[string]string
	for _, v := range d.Variants {
		if v.Version != "" {
			if m == nil {
				m = map[string]string{}
			}
			m[v.Name] = v.Version
		}
	}
	return m
}

// lasting returns the policy for a trial that is planned to take so long, as far as a judge can plan with that.
func (p Policy) lasting(d time.Duration) Policy {
	if p.Judge == nil {
		return p
	}
	judge := *p.Judge
	judge.Duration = health.Duration(min(max(d, time.Hour), 90*24*time.Hour))
	p.Judge = &judge
	return p
}

// freezePolicy freezes a policy in n, whose trial goes by a plan, or by none.
func freezePolicy(n *splitter.State, p Policy, plan *Plan) error {
	if plan != nil {
		p = p.lasting(plan.Duration())
	}
	doc, err := encodePolicy(p)
	if err != nil {
		return err
	}
	n.Policy = doc
	return nil
}

// encodePolicy encodes a policy for a State.
func encodePolicy(p Policy) (json.RawMessage, error) {
	doc, err := json.Marshal(p)
	if err != nil {
		return nil, fmt.Errorf("encode the policy: %w", err)
	}
	return doc, nil
}

// frozenPolicy is the policy that a State froze, or one that judges nothing if it cannot be read.
func frozenPolicy(s *splitter.State) Policy {
	p, err := policyOf(s)
	if err != nil {
		return Policy{}
	}
	return p
}

// policyOf reads the policy that a State froze.
func policyOf(s *splitter.State) (Policy, error) {
	var p Policy
	if len(s.Policy) == 0 {
		return p, nil
	}
	if err := json.Unmarshal(s.Policy, &p); err != nil {
		return p, fmt.Errorf("the policy frozen in revision %d of %q: %w", s.Revision, s.Split, err)
	}
	return p, nil
}
