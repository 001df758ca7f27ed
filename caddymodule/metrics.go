package caddymodule

import (
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/switchback-proxy/switchback/health"
	"github.com/switchback-proxy/switchback/rollout"
	"github.com/switchback-proxy/switchback/splitter"
)

// Metrics are read from the controllers when they are scraped, so they survive reloads, cost a request nothing, and
// exist for splits and variants only: never for a user.
var (
	requestsDesc = desc("requests_total", "Requests ended, by what they count as and why.", "split", "variant", "class", "cause")
	retriesDesc  = desc("retries_total", "Further tries that the variants' reverse proxies made.", "split", "variant")
	rescuesDesc  = desc("rescues_total", "Requests that failed on the variant and that stable was to answer instead, by what came of it.",
		"split", "variant", "result")
	bytesDesc     = desc("bytes_total", "Bytes of answers' bodies sent.", "split", "variant")
	tokensDesc    = desc("tokens_total", "Tokens that the agents say they read (in) and wrote (out).", "split", "variant", "direction")
	ttfbDesc      = desc("ttfb_seconds", "Time that clients waited for the first payload byte of an answer.", "split", "variant")
	durationDesc  = desc("duration_seconds", "Time that clients waited for the end of an answer.", "split", "variant")
	inFlightDesc  = desc("requests_in_flight", "Requests in progress.", "split", "variant")
	talksDesc     = desc("conversations", "Conversations that this instance has seen within the time to hold.", "split", "variant")
	untoldDesc    = desc("conversations_dropped_total", "Conversations not pinned, as too many went on.", "split")
	lookUpsDesc   = desc("pin_lookups_total", "Requests that asked the store where their conversation is, by what came of it.", "split", "result")
	weightDesc    = desc("weight_ratio", "The variant's share of users, 0 to 1.", "split", "variant")
	killedDesc    = desc("killed", "1 if the kill switch of the variant, or of its split, is on.", "split", "variant")
	usersDesc     = desc("users", "Users whose requests this instance has seen in the window.", "split", "variant")
	failedDesc    = desc("users_failed", "Those of the users who saw a failure in the window.", "split", "variant")
	fewDesc       = desc("few_users", "1 while one user makes nearly all of the canary's requests, or an alarm rests on one.", "split")
	evidenceDesc  = desc("evidence_ratio", "Evidence against the canary: at most one harmless canary in so many looks as bad.", "split")
	alarmDesc     = desc("evidence_threshold", "Evidence at which the canary is failed back.", "split")
	sharedDesc    = desc("shared_cause", "1 while both variants are in the same trouble and nothing is failed back for it.", "split")
	judgedDesc    = desc("judged_instances", "Instances whose evidence the latest verdict rests on.", "split")
	lateDesc      = desc("late_frames_total", "Seconds of this instance's evidence that came too late to be judged.", "split")
	revisionDesc  = desc("state_revision", "Revision of the state that this instance decides by; 0 without one.", "split")
	epochDesc     = desc("state_epoch", "Epoch (number of the trial).", "split")
	failbacksDesc = desc("failbacks_total", "Failbacks that this instance applied.", "split")
	refusedDesc   = desc("refused_total", "Requests that a kill refused before they reached a variant.", "split")
	readyDesc     = desc("ready", "1 if this instance places requests as the fleet wants.", "split")
	toldDesc      = desc("alerts_sent_total", "Events that the target of alerts was told by this instance.", "target")
	untakenDesc   = desc("alerts_failed_total", "Tries of this instance that the target of alerts did not take.", "target")
	givenUpDesc   = desc("alerts_dropped_total", "Events that this instance gave up telling the target of alerts.", "target")
	failingDesc   = desc("alert_target_failing", "1 while the target of alerts does not take what this instance tells it.", "target")
	scanDesc      = prometheus.NewDesc("caddy_traffic_split_scan_panics_total",
		"Answers whose scanning failed by a mistake in it: passed on and judged without it.", nil, nil)
	staleDesc = prometheus.NewDesc("caddy_traffic_split_store_age_seconds",
		"Time since the store last answered; -1 if it never has.", nil, nil)
)

// bounds are the upper bounds of the exported histograms, in seconds: answers of agents take milliseconds to minutes.
var bounds = []float64{.01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 20, 30, 60, 120, 300, 600}

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("caddy_traffic_split_"+name, help, labels, nil)
}

// collector reads all controllers of the process.
type collector struct{}

// registerMetrics puts the collector on a configuration's registry; each reload has its own.
func registerMetrics(registry *prometheus.Registry) error {
	err := registry.Register(collector{})
	if errors.As(err, new(prometheus.AlreadyRegisteredError)) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("register the metrics: %w", err)
	}
	return nil
}

// Describe sends all descriptions.
func (collector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{requestsDesc, retriesDesc, rescuesDesc, bytesDesc, tokensDesc, ttfbDesc, durationDesc, inFlightDesc, talksDesc, untoldDesc, lookUpsDesc, weightDesc,
		scanDesc, killedDesc, usersDesc, failedDesc, fewDesc, evidenceDesc, alarmDesc, sharedDesc, judgedDesc, lateDesc, revisionDesc, epochDesc, failbacksDesc, refusedDesc, readyDesc, staleDesc,
		toldDesc, untakenDesc, givenUpDesc, failingDesc} {
		ch <- d
	}
}

// Collect sends the metrics of the controller that runs now.
func (collector) Collect(ch chan<- prometheus.Metric) {
	c := controllers.newest()
	if c == nil {
		return
	}
	age := -1.0
	if d := c.StoreAge(); d >= 0 {
		age = d.Seconds()
	}
	gauge(ch, staleDesc, age)
	ch <- prometheus.MustNewConstMetric(scanDesc, prometheus.CounterValue, float64(scanPanics.Load()))
	collectTargets(ch, c.TargetStatus())
	for _, name := range c.Splits() {
		status, err := c.StatusHere(name)
		if err != nil {
			continue // the split went away between the two calls
		}
		collectState(ch, name, status)
		s := c.Split(name)
		if s == nil {
			continue
		}
		ch <- prometheus.MustNewConstMetric(failbacksDesc, prometheus.CounterValue, float64(s.Failbacks()), name)
		ch <- prometheus.MustNewConstMetric(lateDesc, prometheus.CounterValue, float64(s.LateFrames()), name)
		ch <- prometheus.MustNewConstMetric(refusedDesc, prometheus.CounterValue, float64(s.Refused()), name)
		collectConversations(ch, name, &s.Conversations)
		s.Totals(func(variant string, t *health.Totals) { collectTotals(ch, name, variant, t.Snapshot()) })
	}
}

func collectTargets(ch chan<- prometheus.Metric, targets []rollout.TargetStatus) {
	for _, t := range targets {
		ch <- prometheus.MustNewConstMetric(toldDesc, prometheus.CounterValue, float64(t.Sent), t.Name)
		ch <- prometheus.MustNewConstMetric(untakenDesc, prometheus.CounterValue, float64(t.Failed), t.Name)
		ch <- prometheus.MustNewConstMetric(givenUpDesc, prometheus.CounterValue, float64(t.Dropped), t.Name)
		gauge(ch, failingDesc, asNumber(!t.FailingSince.IsZero()), t.Name)
	}
}

func gauge(ch chan<- prometheus.Metric, d *prometheus.Desc, value float64, labels ...string) {
	ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
}

func asNumber(on bool) float64 {
	if on {
		return 1
	}
	return 0
}

func collectState(ch chan<- prometheus.Metric, split string, status rollout.Status) {
	var revision, epoch uint64
	if status.State != nil {
		revision, epoch = status.State.Revision, status.State.Epoch
	}
	gauge(ch, revisionDesc, float64(revision), split)
	gauge(ch, epochDesc, float64(epoch), split)
	gauge(ch, readyDesc, asNumber(status.Ready), split)
	collectVerdict(ch, split, status)
	for _, v := range status.Variants {
		gauge(ch, weightDesc, float64(v.Weight)/float64(splitter.Full), split, v.Name)
		gauge(ch, killedDesc, asNumber(v.Killed), split, v.Name)
		gauge(ch, inFlightDesc, float64(v.InFlight), split, v.Name)
		gauge(ch, usersDesc, float64(v.Summary.Users), split, v.Name)
		gauge(ch, failedDesc, float64(v.Summary.UsersFailed), split, v.Name)
	}
}

// collectVerdict sends nothing of what speaks against a canary while none is on trial.
func collectVerdict(ch chan<- prometheus.Metric, split string, status rollout.Status) {
	v := status.Verdict
	gauge(ch, fewDesc, asNumber(v != nil && v.FewUsers != nil), split)
	gauge(ch, sharedDesc, asNumber(v != nil && v.SharedCause), split)
	if v == nil {
		return
	}
	gauge(ch, evidenceDesc, v.Evidence, split)
	gauge(ch, alarmDesc, v.Threshold, split)
	gauge(ch, judgedDesc, float64(status.JudgedInstances), split)
}

// collectConversations sends nothing of a split that has never had any.
func collectConversations(ch chan<- prometheus.Metric, split string, c *rollout.Conversations) {
	counts := c.Counts()
	if counts == nil {
		return
	}
	for variant, n := range counts {
		gauge(ch, talksDesc, float64(n), split, variant)
	}
	ch <- prometheus.MustNewConstMetric(untoldDesc, prometheus.CounterValue, float64(c.Dropped()), split)
	for result := range rollout.LookUpResults {
		ch <- prometheus.MustNewConstMetric(lookUpsDesc, prometheus.CounterValue, float64(c.LookUps(result)), split, result.String())
	}
}

func collectTotals(ch chan<- prometheus.Metric, split, variant string, t health.TotalsSnapshot) {
	t.Counts.Each(func(class health.Class, cause health.Cause, n uint64) {
		ch <- prometheus.MustNewConstMetric(requestsDesc, prometheus.CounterValue, float64(n),
			split, variant, class.String(), cause.String())
	})
	ch <- prometheus.MustNewConstMetric(retriesDesc, prometheus.CounterValue, float64(t.Retries), split, variant)
	t.Rescues.Each(func(result health.RescueResult, n uint64) {
		ch <- prometheus.MustNewConstMetric(rescuesDesc, prometheus.CounterValue, float64(n), split, variant, result.String())
	})
	ch <- prometheus.MustNewConstMetric(bytesDesc, prometheus.CounterValue, float64(t.Bytes), split, variant)
	ch <- prometheus.MustNewConstMetric(tokensDesc, prometheus.CounterValue, float64(t.TokensIn), split, variant, "in")
	ch <- prometheus.MustNewConstMetric(tokensDesc, prometheus.CounterValue, float64(t.TokensOut), split, variant, "out")
	histogram(ch, ttfbDesc, t.TTFB, t.TTFBSum, split, variant)
	histogram(ch, durationDesc, t.Latency, t.LatencySum, split, variant)
}

func histogram(ch chan<- prometheus.Metric, d *prometheus.Desc, h health.Histogram, sum time.Duration, labels ...string) {
	n := h.Count()
	buckets := make(map[float64]uint64, len(bounds))
	for _, b := range bounds {
		buckets[b] = n - h.CountAbove(time.Duration(b*float64(time.Second)))
	}
	ch <- prometheus.MustNewConstHistogram(d, n, sum.Seconds(), buckets, labels...)
}
