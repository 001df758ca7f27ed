package alert

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"

	"github.com/nicholas-fedor/shoutrrr/pkg/format"
	"github.com/nicholas-fedor/shoutrrr/pkg/router"
	"github.com/nicholas-fedor/shoutrrr/pkg/services/chat/matrix"
	"github.com/nicholas-fedor/shoutrrr/pkg/services/incident/opsgenie"
	"github.com/nicholas-fedor/shoutrrr/pkg/services/incident/pagerduty"
	"github.com/nicholas-fedor/shoutrrr/pkg/types"
)

// maxAbandoned bounds how many sends of a target may go on after they were given up: most services of shoutrrr cannot be
// told to stop, and some wait for an answer without end.
const maxAbandoned = 4

// service sends by one of shoutrrr's services.
type service struct {
	scheme string
	url    string
	query  url.Values
	titled bool // it shows a title by itself
	going  chan struct{}
}

// newService returns a sender for a URL of shoutrrr's. It asks nobody. Its errors may have secrets in them.
func newService(u *url.URL) (*service, error) {
	scheme, _, _ := strings.Cut(u.Scheme, "+")
	u = completed(u)
	s := &service{scheme: scheme, url: u.String(), query: u.Query(), going: make(chan struct{}, maxAbandoned)}
	var r router.ServiceRouter
	made, err := r.NewService(scheme)
	if err != nil {
		return nil, err
	}
	s.titled = showsTitle(scheme, made)
	if scheme == matrix.Scheme { // to make one is to log in
		return s, new(matrix.Config).SetURL(u)
	}
	_, err = r.Locate(s.url)
	return s, err
}

// completed adds what a URL of PagerDuty's may leave out: shoutrrr documents it as default, and does not fill it in.
func completed(u *url.URL) *url.URL {
	if u.Scheme != pagerduty.Scheme {
		return u
	}
	full := *u
	full.Host = net.JoinHostPort(cmp.Or(u.Hostname(), "events.pagerduty.com"), cmp.Or(u.Port(), "443"))
	return &full
}

// schemes lists the services that there are. The one that logs is left out: it would write to nobody's log.
func schemes() []string {
	all := slices.DeleteFunc(new(router.ServiceRouter).ListServices(), func(s string) bool { return s == "logger" })
	slices.Sort(all)
	return all
}

// showsTitle reports whether a service takes a title beside the message and shows it whatever else is configured. Zulip's
// title is the topic that people have chosen.
func showsTitle(scheme string, s types.Service) bool {
	if slices.Contains([]string{"generic", "ifttt", "zulip"}, scheme) {
		return false
	}
	resolver := format.NewPropKeyResolver(format.GetServiceConfig(s))
	return slices.Contains(resolver.QueryFields(), types.TitleKey)
}

// errBusy means that earlier tries hang.
var errBusy = fmt.Errorf("%d earlier tries have not ended yet", maxAbandoned)

// send sends a message, and returns when ctx is done whatever the service does.
func (s *service) send(ctx context.Context, v View) error {
	select {
	case s.going <- struct{}{}:
	default:
		return errBusy
	}
	message, params := s.message(v)
	done := make(chan error, 1)
	go func() {
		defer func() { <-s.going }()
		done <- s.deliver(message, params)
	}()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return fmt.Errorf("no answer: %w", context.Cause(ctx))
	}
}

// deliver makes the service anew for each message, as some change themselves while they send.
func (s *service) deliver(message string, params types.Params) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%s failed by a mistake in it: %v", s.scheme, p)
		}
	}()
	var r router.ServiceRouter
	made, err := r.Locate(s.url)
	if err != nil {
		return err
	}
	return made.Send(message, &params)
}

// message is what a service is given: the text, with the title in it unless the service shows one, and the service's own
// parameters for what is urgent and what is the same event again. What the URL says counts.
func (s *service) message(v View) (string, types.Params) {
	params := types.Params{}
	switch s.scheme {
	case pagerduty.Scheme:
		params["dedup_key"], params["severity"], params["source"] = v.ID, v.Severity, cmp.Or(v.Split, "switchback")
		if v.Link != "" {
			params["client"], params["client_url"] = "Switchback", v.Link
		}
	case opsgenie.Scheme:
		params["alias"], params["priority"], params["source"] = v.ID, priority(v.Severity), "switchback"
		params["entity"] = v.Split
	}
	for name := range s.query {
		delete(params, strings.ToLower(name))
	}
	if !s.titled {
		return v.Title + "\n" + v.Text, params
	}
	if !s.query.Has(types.TitleKey) {
		params.SetTitle(v.Title)
	}
	return cmp.Or(v.Text, v.Title), params
}

// priority is Opsgenie's word for a severity.
func priority(severity string) string {
	switch severity {
	case Critical.String():
		return "P1"
	case Warning.String():
		return "P3"
	}
	return "P5"
}
