// Package rollout turns wishes and verdicts into changes of the State, and keeps one proxy in step with its fleet.
//
// Its core is pure: functions such as [SetWeights], [Kill], [Failback], [Start] and [TakeStep] take a State and return the
// next one with the event that tells of it, and [Next] says what a plan does next; they read no clock and make up nothing
// (see [Seed]). Around them, [Controller] reads the clock, talks to the store, judges once a second and
// publishes, per split, the [View] that requests decide by. There is no leader: every instance runs the same code and
// the store's compare-and-swap picks the winner.
package rollout
