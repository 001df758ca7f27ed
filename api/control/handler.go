package control

import (
	"net/http"
	"slices"
	"strings"
)

// Options say what a handler serves.
type Options struct {
	// Fleet is what is shown and changed.
	Fleet Fleet
	// Via says how a request came in, as far as that was verified (local, socket, certificate …); recorded with every
	// change. Nil records nothing.
	Via func(*http.Request) string
	// Done is closed when the handler's server is about to go, which ends answers that would not end by themselves. Nil:
	// never.
	Done <-chan struct{}
	// Failed is told of answers that could not be sent. Nil ignores them: the caller has gone.
	Failed func(*http.Request, error)
}

// NewHandler returns the API as a handler. It keeps no state of its own, starts nothing, and may be made anew for
// every configuration.
func NewHandler(o Options) http.Handler {
	if o.Via == nil {
		o.Via = func(*http.Request) string { return "" }
	}
	if o.Failed == nil {
		o.Failed = func(*http.Request, error) {}
	}
	return &handler{Options: o}
}

type handler struct{ Options }

// endpoint answers one method of one path; name is the split or the instance that the path names, and empty if it names
// none. The error that it returns is answered with, so it returns one only before it has written.
type endpoint func(h *handler, w http.ResponseWriter, r *http.Request, name string) error

// methods are the endpoints of one path, by method.
type methods map[string]endpoint

// The paths below the prefix. A fleet path names nothing; an instance path ends with an instance's name; a split path is
// what follows the split's name.
var (
	fleetPaths = map[string]methods{
		"":            {http.MethodGet: (*handler).list},
		"-/instances": {http.MethodGet: (*handler).instances},
		"-/ready":     {http.MethodGet: (*handler).ready},
		"-/export":    {http.MethodGet: (*handler).export},
		"-/targets":   {http.MethodGet: (*handler).targets},
	}
	instancePaths = map[string]methods{
		"-/instances/": {http.MethodDelete: (*handler).forgetInstance},
	}
	splitPaths = map[string]methods{
		"":            {http.MethodGet: (*handler).status},
		"why":         {http.MethodGet: (*handler).why},
		"events":      {http.MethodGet: (*handler).events},
		"drained":     {http.MethodGet: (*handler).drained},
		"preflight":   {http.MethodPost: (*handler).preflight},
		"start":       {http.MethodPost: change(start)},
		"pause":       {http.MethodPost: change(pause)},
		"resume":      {http.MethodPost: change(resume)},
		"step":        {http.MethodPost: change(step)},
		"promote":     {http.MethodPost: change(promote)},
		"abort":       {http.MethodPost: change(abort)},
		"rollback":    {http.MethodPost: change(rollBack)},
		"retry":       {http.MethodPost: change(retry)},
		"switch":      {http.MethodPost: change(switchTo)},
		"switch-back": {http.MethodPost: change(switchBack)},
		"retire":      {http.MethodPost: change(retire)},
		"drill":       {http.MethodPost: (*handler).drill},
		"weights":     {http.MethodPatch: change(setWeights)},
		"kill":        {http.MethodPost: change(kill)},
		"revive":      {http.MethodPost: change(revive)},
		"rename":      {http.MethodPost: change(rename)},
		"adopt":       {http.MethodPost: change(adopt)},
		"policy":      {http.MethodPost: change(applyPolicy)},
		"forget":      {http.MethodPost: change(forget)},
		"import":      {http.MethodPost: change(importState)},
	}
)

// ServeHTTP answers one request.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	err := h.serve(w, r)
	if err == nil {
		return
	}
	if err := writeProblem(w, problemOf(err)); err != nil {
		h.Failed(r, err)
	}
}

func (h *handler) serve(w http.ResponseWriter, r *http.Request) error {
	name, path, found := route(r.URL.Path)
	if !found {
		return kindNoRoute.problem("nothing is at %q; splits are listed at %s", r.URL.Path, Prefix)
	}
	endpoint, found := path.endpoint(r.Method)
	if !found {
		return path.notAllowed(r)
	}
	return endpoint(h, w, r, name)
}

// route returns the split or instance that a path names, if it names one, and the methods of the path.
func route(path string) (name string, m methods, found bool) {
	rest, found := strings.CutPrefix(path+"/", Prefix)
	if !found {
		return "", nil, false
	}
	rest = strings.TrimSuffix(strings.TrimSuffix(rest, "/"), "/")
	if m, found = fleetPaths[rest]; found {
		return "", m, true
	}
	for prefix, m := range instancePaths {
		if name, found = strings.CutPrefix(rest, prefix); found {
			return name, m, true
		}
	}
	name, rest, _ = strings.Cut(rest, "/")
	if name == "-" {
		return "", nil, false
	}
	m, found = splitPaths[rest]
	return name, m, found
}

// endpoint returns what answers a method; HEAD is GET without a body, which net/http sees to.
func (m methods) endpoint(method string) (endpoint, bool) {
	if method == http.MethodHead {
		method = http.MethodGet
	}
	e, found := m[method]
	return e, found
}

// notAllowed returns the problem for a method that the path does not have.
func (m methods) notAllowed(r *http.Request) error {
	var allow []string
	for method := range m {
		allow = append(allow, method)
		if method == http.MethodGet {
			allow = append(allow, http.MethodHead)
		}
	}
	slices.Sort(allow)
	p := kindMethod.problem("%s is not for %q: use %s", r.Method, r.URL.Path, strings.Join(allow, " or "))
	p.allow = strings.Join(allow, ", ")
	return p
}

// answer sends v with the given status. That the caller has gone is told to Failed, as nothing can be answered.
func (h *handler) answer(w http.ResponseWriter, r *http.Request, status int, v any) error {
	if err := writeJSON(w, "application/json", status, v); err != nil {
		h.Failed(r, err)
	}
	return nil
}
