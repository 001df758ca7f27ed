package caddymodule

import (
	"net"
	"net/http"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"github.com/switchback-proxy/switchback/api/control"
)

func init() { caddy.RegisterModule(Admin{}) }

// Admin puts the control API on Caddy's admin endpoint, under /splits/v1/.
type Admin struct {
	log *zap.Logger
	// done is closed when the configuration goes, and with it the endpoint.
	done <-chan struct{}
}

// CaddyModule returns the Caddy module information.
func (Admin) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "admin.api.switchback", New: func() caddy.Module { return new(Admin) }}
}

// Provision takes the logger, and when to end.
func (a *Admin) Provision(ctx caddy.Context) error {
	a.log, a.done = ctx.Logger(), ctx.Done()
	return nil
}

// Routes returns the API's one route; paths and methods below it are the API's own business.
func (a *Admin) Routes() []caddy.AdminRoute {
	return []caddy.AdminRoute{{Pattern: "/splits/", Handler: caddy.AdminHandlerFunc(a.serve)}}
}

// serve answers for the controller that runs now. It is looked up at each request: Caddy makes this module anew at
// each reload, before any app is.
func (a *Admin) serve(w http.ResponseWriter, r *http.Request) error {
	controller := controllers.newest()
	if controller == nil {
		return caddy.APIError{HTTPStatus: http.StatusServiceUnavailable, Message: "no traffic_split runs: none is configured, or the proxy is about to start"}
	}
	control.NewHandler(control.Options{Fleet: controller, Via: via, Done: a.done, Failed: a.failed}).ServeHTTP(w, r)
	return nil
}

func (a *Admin) failed(r *http.Request, err error) {
	a.log.Warn("an answer of the control API could not be sent", zap.String("uri", r.RequestURI), zap.Error(err))
}

// via says how a call came in, as far as Caddy verified it: with a client's certificate, over a unix socket, whose file
// says who may, or over TCP, where anybody on the machine may.
func via(r *http.Request) string {
	if r.TLS != nil && len(r.TLS.PeerCertificates) > 0 {
		return "certificate"
	}
	if local, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr); ok && strings.HasPrefix(local.Network(), "unix") {
		return "socket"
	}
	return "local"
}

var (
	_ caddy.AdminRouter = (*Admin)(nil)
	_ caddy.Provisioner = (*Admin)(nil)
)
