package rollout

// findings returns what is known here of what a plan moves on. A verdict on this instance's own requests alone is none of
// the fleet's, so nothing is promoted by it.
func (c *Controller) findings(s *Split) Findings {
	var f Findings
	if j := s.judgementNow(); j.Verdict != nil && !j.alone {
		f.Verdict = *j.Verdict
	}
	return f
}
