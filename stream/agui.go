package stream

// AG-UI. Checked against the npm packages @ag-ui/core and @ag-ui/client 1.0.0: a run ends with RUN_FINISHED, whose
// outcome may be an interrupt or a cancellation, or with RUN_ERROR, which may come at any time, even first; after
// either another run may begin in the same stream. The client splits events at \n\n alone and does not look at names.

var aguiPaths = []path{
	{"type", slotType}, {"code", slotCode}, {"outcome.type", slotOutcome},
	{"usage.inputTokens", slotSumIn}, {"usage.outputTokens", slotSumOut},
}

// judgeAGUI judges an event of a run.
func judgeAGUI(s *Scanner) {
	w := &s.json
	switch string(w.bytes(slotType)) {
	case "RUN_STARTED":
		s.reopen()
	case "STEP_STARTED", "":
	case "RUN_FINISHED":
		s.countAGUI()
		s.finishRun(string(w.bytes(slotOutcome)))
	case "RUN_ERROR":
		s.countAGUI()
		s.fail(codeOf(w.bytes(slotCode)))
	default:
		s.payload = true
	}
}

// finishRun ends a run that says it went well.
func (s *Scanner) finishRun(outcome string) {
	switch outcome {
	case "interrupt":
		s.conclude(Paused, "interrupt")
	case "cancelled":
		s.conclude(Aborted, "cancelled")
	default:
		s.conclude(Finished, "")
	}
}

// countAGUI takes over a run's usage, which is told by model.
func (s *Scanner) countAGUI() {
	w := &s.json
	if !w.is(slotSumIn, kindNumber) && !w.is(slotSumOut, kindNumber) {
		return
	}
	s.tokens = Tokens{In: w.count(slotSumIn), Out: w.count(slotSumOut), Known: true}
}

// aguiFrame is the event that ends a run with an error.
func aguiFrame(_ *Scanner, reason string) string {
	return `data: {"type":"RUN_ERROR","message":` + reason + `,"code":"UNAVAILABLE"}` + "\n\n"
}
