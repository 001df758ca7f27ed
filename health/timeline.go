package health

import "time"

// span is a slice with the age of its older end.
type span struct {
	Slice
	age time.Duration
}

// timeline returns all that e knows of, newest first, each request once: the last 10 s in seconds, the rest of the
// window in its own slices, and before it slices of 10 s up to 5 minutes.
func (e *Evidence) timeline() []span {
	width := e.width()
	spans := make([]span, 0, len(e.Fine)+1+len(e.Slices)+len(e.Earlier))
	rest := e.Slices
	if width > fineWidth {
		spans, rest = e.fineSpans(spans, width)
	}
	for i, s := range rest {
		spans = append(spans, span{s, time.Duration(len(e.Slices)-len(rest)+i+1) * width})
	}
	for i, s := range e.Earlier {
		if s != (Slice{}) {
			spans = append(spans, span{s, time.Duration(i+1) * earlierWidth})
		}
	}
	return spans
}

// fineSpans appends to spans the last 10 s in seconds, one span for what else happened in the coarse slices that reach into them,
// and returns the coarse slices beyond.
func (e *Evidence) fineSpans(spans []span, width time.Duration) (_ []span, rest []Slice) {
	var fine, coarse Slice
	for i, s := range e.Fine {
		fine.add(&s)
		spans = append(spans, span{s, time.Duration(i+1) * fineWidth})
	}
	reach := min(int((settle+width-1)/width)+1, len(e.Slices))
	for _, s := range e.Slices[:reach] {
		coarse.add(&s)
	}
	return append(spans, span{coarse.minus(fine), time.Duration(reach) * width}), e.Slices[reach:]
}
