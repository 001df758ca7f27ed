package caddymodule

import (
	"net/http"
	"strings"
)

// What an agent may say of its own answer, in a header or a trailer. It is passed on to the client like any other.
const (
	agentOutcomeHeader  = "X-Agent-Outcome"
	agentOutcomeTrailer = http.TrailerPrefix + agentOutcomeHeader // as a trailer that was not announced
)

// The ways to take what an agent says of its own answer.
const (
	agentOutcomeTrust  = "trust"
	agentOutcomeIgnore = "ignore"
)

// agentWord is what an agent says of its own answer.
type agentWord uint8

const (
	saidNothing agentWord = iota
	saidSuccess
	saidFailure
)

// agentWordIn returns the last word that is one.
func agentWordIn(values []string) (word agentWord) {
	for _, v := range values {
		switch strings.ToLower(strings.TrimSpace(v)) {
		case "success":
			word = saidSuccess
		case "failure":
			word = saidFailure
		}
	}
	return word
}

// readWord takes over what the agent said in a trailer: it knew more by then than when it sent its header.
func (x *exchange) readWord() {
	if x.handler.AgentOutcome == agentOutcomeIgnore {
		return
	}
	if word := agentWordIn(x.body.trailer(agentOutcomeHeader, agentOutcomeTrailer)); word != saidNothing {
		x.body.said = word
	}
}
