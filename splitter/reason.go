package splitter

// Reason says which rule made a decision, in the words of OpenFeature's resolution reasons where it has one. The zero value is
// ReasonError, so that a decision that nobody made never counts as evidence.
type Reason uint8

// The reasons of a decision.
const (
	// ReasonError means that nobody can serve: stable is unknown here.
	ReasonError Reason = iota
	// ReasonSplit means that the key's bucket decided.
	ReasonSplit
	// ReasonTargetingMatch means that an override decided.
	ReasonTargetingMatch
	// ReasonDisabled means that a kill switch is on and nobody serves.
	ReasonDisabled
	// ReasonDefault means that stable stands in: there was no key, or the variant chosen is absent.
	ReasonDefault
	// ReasonStatic means that everybody gets the same variant, as the instance knows no State.
	ReasonStatic
	// ReasonPin means that the request's conversation stays where it began, though its bucket has moved. OpenFeature has no
	// word for that.
	ReasonPin
)

var reasonTexts = enumTexts{"ERROR", "SPLIT", "TARGETING_MATCH", "DISABLED", "DEFAULT", "STATIC", "PIN"}

// String returns the reason's word, such as SPLIT.
func (r Reason) String() string { return reasonTexts.name(int(r), "Reason") }

// MarshalText returns the reason's word, or an error for a value that is none of the constants.
func (r Reason) MarshalText() ([]byte, error) { return reasonTexts.marshal(int(r), "reason") }

// UnmarshalText reads a reason's word.
func (r *Reason) UnmarshalText(text []byte) error {
	i, err := reasonTexts.parse(string(text), "reason")
	if err != nil {
		return err
	}
	*r = Reason(i)
	return nil
}
