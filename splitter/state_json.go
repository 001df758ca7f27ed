package splitter

import (
	"encoding/json"
	"fmt"
)

// The plain types have the fields of the documents and none of their methods, so that encoding/json handles them by
// their tags. They are of what is modified in place, and so keeps what a newer release wrote there. A pause, a drill, a
// promotion, a range are written once as a whole: what a newer release has to add to them and wants kept, it puts beside
// them into the State or the progress.
type (
	plainState    State
	plainKill     Kill
	plainProgress Progress
	plainTrickle  Trickle
	plainProbe    Probe
)

var (
	stateFields    = fieldNames[plainState]()
	killFields     = fieldNames[plainKill]()
	progressFields = fieldNames[plainProgress]()
	trickleFields  = fieldNames[plainTrickle]()
	probeFields    = fieldNames[plainProbe]()
)

// Decode reads a State and checks it. It reads States of a newer [Schema] as far as this release understands them:
// fields that it does not know are kept, a phase or a kill's level that it does not know is kept too and read as
// [PhaseUnknown] and [KillRequests]. Encoding it again (json.Marshal) writes all of them back.
func Decode(data []byte) (*State, error) {
	s := new(State)
	if err := json.Unmarshal(data, s); err != nil {
		return nil, fmt.Errorf("state cannot be read: %w", err)
	}
	if err := s.Validate(); err != nil {
		return nil, err
	}
	return s, nil
}

// MarshalJSON writes the document: known fields as declared, then those kept from a newer release. Do not embed a
// State in a struct that is written as JSON: this method would be promoted and hide the struct's other fields.
func (s State) MarshalJSON() ([]byte, error) {
	return encodeKeeping(plainState(s), s.unknown)
}

// UnmarshalJSON reads the document and does not check it; [Decode] does both.
func (s *State) UnmarshalJSON(data []byte) error {
	var plain plainState
	unknown, err := decodeKeeping(data, &plain, stateFields)
	if err != nil {
		return err
	}
	*s = State(plain)
	s.unknown = unknown
	for _, raw := range []*json.RawMessage{&s.Policy, &s.Plan} { // raw JSON in its one form, as unknown fields have it
		if len(*raw) == 0 {
			continue
		}
		if err := remarshal(*raw, raw); err != nil {
			return err
		}
	}
	return nil
}

// killDocument is a Kill with its level as text, which hides the enumeration: a text from a newer release must not
// make the State unreadable.
type killDocument struct {
	plainKill
	Level string `json:"level"`
}

// MarshalJSON writes the kill with what was kept from a newer release. As with [State.MarshalJSON], do not embed.
func (k Kill) MarshalJSON() ([]byte, error) {
	level := k.newerLevel
	if level == "" || k.Level != KillRequests {
		text, err := k.Level.MarshalText()
		if err != nil {
			return nil, err
		}
		level = string(text)
	}
	return encodeKeeping(killDocument{plainKill(k), level}, k.unknown)
}

// UnmarshalJSON reads a kill. A level that this release does not know is read as KillRequests, which is what all
// levels have in common, and written back verbatim unless Level is changed.
func (k *Kill) UnmarshalJSON(data []byte) error {
	document := killDocument{Level: KillRequests.String()}
	unknown, err := decodeKeeping(data, &document, killFields)
	if err != nil {
		return err
	}
	*k = Kill(document.plainKill)
	k.unknown = unknown
	if k.Level.UnmarshalText([]byte(document.Level)) != nil {
		k.Level, k.newerLevel = KillRequests, document.Level
	}
	return nil
}

// progressDocument is a Progress with its phase as text, for the reason that killDocument has.
type progressDocument struct {
	Phase string `json:"phase"`
	plainProgress
}

// MarshalJSON writes the progress with what was kept from a newer release. As with [State.MarshalJSON], do not embed.
func (p Progress) MarshalJSON() ([]byte, error) {
	phase := p.newerPhase
	if phase == "" || p.Phase != PhaseUnknown {
		text, err := p.Phase.MarshalText()
		if err != nil {
			return nil, err
		}
		phase = string(text)
	}
	return encodeKeeping(progressDocument{phase, plainProgress(p)}, p.unknown)
}

// UnmarshalJSON reads the progress. A phase that this release does not know is read as PhaseUnknown and written back
// verbatim unless Phase is changed.
func (p *Progress) UnmarshalJSON(data []byte) error {
	document := progressDocument{Phase: PhaseIdle.String()}
	unknown, err := decodeKeeping(data, &document, progressFields)
	if err != nil {
		return err
	}
	*p = Progress(document.plainProgress)
	p.unknown = unknown
	if p.Phase.UnmarshalText([]byte(document.Phase)) != nil {
		p.Phase, p.newerPhase = PhaseUnknown, document.Phase
	}
	return nil
}

// MarshalJSON writes the trickle with what was kept from a newer release. As with [State.MarshalJSON], do not embed.
func (t Trickle) MarshalJSON() ([]byte, error) { return encodeKeeping(plainTrickle(t), t.unknown) }

// UnmarshalJSON reads a trickle.
func (t *Trickle) UnmarshalJSON(data []byte) error {
	var plain plainTrickle
	unknown, err := decodeKeeping(data, &plain, trickleFields)
	*t = Trickle(plain)
	t.unknown = unknown
	return err
}

// MarshalJSON writes the probe with what was kept from a newer release. As with [State.MarshalJSON], do not embed.
func (p Probe) MarshalJSON() ([]byte, error) { return encodeKeeping(plainProbe(p), p.unknown) }

// UnmarshalJSON reads a probe.
func (p *Probe) UnmarshalJSON(data []byte) error {
	var plain plainProbe
	unknown, err := decodeKeeping(data, &plain, probeFields)
	*p = Probe(plain)
	p.unknown = unknown
	return err
}
