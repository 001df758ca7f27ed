package splitter

var (
	levelTexts = enumTexts{"requests", "drain", "cut"}
	phaseTexts = enumTexts{"idle", "trial", "failed_back", "unknown"}
)

// String returns "requests", "drain" or "cut".
func (l KillLevel) String() string { return levelTexts.name(int(l), "KillLevel") }

// MarshalText returns "requests", "drain" or "cut", or an error for another value.
func (l KillLevel) MarshalText() ([]byte, error) { return levelTexts.marshal(int(l), "kill level") }

// UnmarshalText reads "requests", "drain" or "cut". Inside a [Kill], other texts are read too.
func (l *KillLevel) UnmarshalText(text []byte) error {
	i, err := levelTexts.parse(string(text), "kill level")
	if err != nil {
		return err
	}
	*l = KillLevel(i)
	return nil
}

// String returns "idle", "trial", "failed_back" or "unknown".
func (p Phase) String() string { return phaseTexts.name(int(p), "Phase") }

// MarshalText returns "idle", "trial", "failed_back" or "unknown", or an error for another value.
func (p Phase) MarshalText() ([]byte, error) { return phaseTexts.marshal(int(p), "phase") }

// UnmarshalText reads "idle", "trial", "failed_back" or "unknown". Inside a [Progress], other texts are read too.
func (p *Phase) UnmarshalText(text []byte) error {
	i, err := phaseTexts.parse(string(text), "phase")
	if err != nil {
		return err
	}
	*p = Phase(i)
	return nil
}
