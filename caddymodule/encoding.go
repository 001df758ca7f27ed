package caddymodule

import "net/http"

// encoding is the request's Accept-Encoding, which is another one for the variant than for the client: what is
// compressed cannot be looked into. A client still gets what it likes if `encode` stands in front of the split.
//
// It is done for every request of a split that looks into answers, as caches rely on that HEAD, and a range, are of
// the same representation as the whole.
type encoding struct {
	asked   []string    // by the client; nil if it did not say
	instead [1]string   // in its own memory for each request, as whoever changes a header may change the value
	header  http.Header // of the request; nil if nothing was done
}

const acceptEncoding = "Accept-Encoding"

// ask asks for an answer that is not encoded.
func (e *encoding) ask(r *http.Request) {
	e.header, e.asked = r.Header, r.Header[acceptEncoding]
	e.instead[0] = "identity"
	r.Header[acceptEncoding] = e.instead[:]
}

// restore puts back what the client asked for, for whoever answers in the variant's place, and for logs.
func (e *encoding) restore() {
	switch {
	case e.header == nil:
	case e.asked == nil:
		delete(e.header, acceptEncoding)
	default:
		e.header[acceptEncoding] = e.asked
	}
}
