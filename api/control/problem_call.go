package control

import (
	"errors"
	"syscall"
)

// The kinds of what can go wrong with a call before the API has answered it, or because something else has. They have
// no HTTP status of their own.
var (
	kindUnreachable = kind{ErrUnreachable, "unreachable", 0, "Proxy unreachable"}
	kindUnanswered  = kind{ErrUnanswered, "unanswered", 0, "No answer came"}
	kindForeign     = kind{ErrForeign, "foreign", 0, "Not Switchback's answer"}
	kindAdmin       = kind{nil, "admin", 0, "Refused by Caddy's admin endpoint"}
	kindMachine     = kind{nil, "machine", 0, "Failed on the caller's machine"}
)

// CallProblem returns, as a problem document, what a program that calls the API ended with, for one that hands it on to
// another program. What the API has refused is returned as the API said it. Of the others Detail is err's text and Status
// what was answered, if anything was, and the kinds are: unreachable and unanswered (see [ErrUnreachable] and
// [ErrUnanswered]), foreign (something else answered), admin (Caddy's admin endpoint did, in words of its own), machine
// (the operating system refused the caller something, such as a file), and invalid for every other error, as the call was
// never made.
func CallProblem(err error) *Problem {
	p, answered := errors.AsType[*Problem](err)
	if answered && p.Kind() != "" {
		return p
	}
	problem := callKind(err, p).problem("%v", err)
	problem.Status = 0
	if answered {
		problem.Status = p.Status
	}
	return problem
}

// callKind returns the kind of an error that is no answer of the API; p is what something else answered, if it did.
func callKind(err error, p *Problem) kind {
	switch {
	case p != nil && !p.Foreign():
		return kindAdmin
	case p != nil:
		return kindForeign
	}
	for _, k := range []kind{kindUnanswered, kindUnreachable, kindForeign} {
		if errors.Is(err, k.err) {
			return k
		}
	}
	if _, refused := errors.AsType[syscall.Errno](err); refused {
		return kindMachine
	}
	return kindInvalid
}
