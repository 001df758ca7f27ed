package rollout

import "github.com/switchback-proxy/switchback/splitter"

// Suspect marks a failback whose cause seems to be shared, because stable was found to be no better; why says what was
// found. People are told, and nothing else follows: the canary stays failed back. It returns false, and no change, if
// nothing is failed back, or that is marked.
func Suspect(prev *splitter.State, why string, by By, seed Seed) (Changed, bool, error) {
	if prev.Progress.Phase != splitter.PhaseFailedBack || prev.Progress.Suspected != "" || why == "" {
		return Changed{}, false, nil
	}
	by.Reason = why
	n := next(prev, KindSuspected, by, seed)
	n.Progress.Suspected = why
	c, err := tell(prev, n)
	return c, err == nil, err
}

// mergeSuspicion marks a failback in n, which was made of these States, if one of them marks that of the same trial.
func mergeSuspicion(n *splitter.State, parents ...*splitter.State) {
	for _, p := range parents {
		if n.Progress.Phase == splitter.PhaseFailedBack && n.Progress.Suspected == "" &&
			p.Progress.Phase == splitter.PhaseFailedBack && isOneTrial(n, p) {
			n.Progress.Suspected = p.Progress.Suspected
		}
	}
}
