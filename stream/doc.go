// Package stream reads what an agent answers and says what became of it: finished, failed, cut short, or waiting for
// somebody.
//
//	response bytes → events → the few values that matter → outcome class
//
// Agents report most of their failures inside an answer that began with 200 OK: as an error event after a hundred
// tokens, or by not saying that they are done. A [Scanner] is told every piece of one response's body as it passes
// ([Scanner.Write]), and how the body ended ([Scanner.Close]); its [Report] is the verdict. [Scanner.Payload] says
// whether anything has passed that cannot be taken back, and [Scanner.ErrorFrame] what to write so that the client of
// a stream that must end now raises an error instead of taking a part for the whole.
//
// A Scanner keeps no byte of the body. Its JSON reader walks the text as it comes and remembers a handful of short
// values of the current event, so that neither the length of an event nor the way the body is cut into pieces changes
// anything: memory is constant (about 1 KiB), and a Write allocates nothing.
//
// A WebSocket is no response: [Frames] reads how each of its sides closes, and [CloseFrame] closes it.
//
// The package is pure: no clock, no goroutine, no network, and nothing but the standard library. It does not judge
// status codes (a response that is not 2xx is not scanned, its status has said it), knows nothing of variants, and
// cannot see into a compressed body. It is no client: of each protocol it knows how to tell an ending from a failure,
// and nothing else.
package stream
