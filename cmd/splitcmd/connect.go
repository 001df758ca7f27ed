package splitcmd

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/spf13/cobra"

	"github.com/switchback-proxy/switchback/api/control"
)

// notAdminError means that something answers at the admin address which is not Caddy's admin endpoint.
type notAdminError struct {
	address string
	answer  string
	cause   error
}

// Error says what went wrong.
func (e notAdminError) Error() string {
	return e.address + " is no Caddy admin endpoint (default localhost:2019): " + e.answer
}

// Unwrap returns the cause.
func (e notAdminError) Unwrap() error { return e.cause }

// connect returns a client of the proxy that the flags name, and the proxy's address. It does not dial yet.
func connect(cmd *cobra.Command) (*control.Client, string, error) {
	address, err := adminAddress(cmd)
	if err != nil {
		return nil, "", err
	}
	network, dialed, err := parseAddress(address)
	if err != nil {
		return nil, "", err
	}
	return control.NewDialer(network, dialed), address, nil
}

// notAdmin says of an answer that is nothing like Switchback's where it came from, and returns every other error as it
// is.
func notAdmin(address string, err error) error {
	if errors.Is(err, control.ErrForeign) {
		return notAdminError{address, err.Error(), err}
	}
	if p, ok := errors.AsType[*control.Problem](err); ok && p.Foreign() {
		return notAdminError{address, fmt.Sprintf("it answers %d %s", p.Status, http.StatusText(p.Status)), err}
	}
	return err
}

// adminAddress returns the admin address as Caddy's own commands find it: --address, else what the file of --config
// says, else Caddy's default.
func adminAddress(cmd *cobra.Command) (string, error) {
	f := cmd.Flags()
	address, err := f.GetString("address")
	if err != nil {
		return "", err
	}
	config, err := f.GetString("config")
	if err != nil {
		return "", err
	}
	if address != "" {
		return address, nil
	}
	if config == "" {
		return caddy.DefaultAdminListen, nil
	}
	adapter, err := f.GetString("adapter")
	if err != nil {
		return "", err
	}
	return configuredAddress(config, adapter)
}

// configuredAddress returns the admin address that a configuration file sets, or Caddy's default.
func configuredAddress(file, adapter string) (string, error) {
	loaded, err := loadConfig(file, adapter)
	if err != nil {
		return "", err
	}
	var config struct {
		Admin struct {
			Disabled bool   `json:"disabled"`
			Listen   string `json:"listen"`
		} `json:"admin"`
	}
	if err := json.Unmarshal(loaded, &config); err != nil {
		return "", fmt.Errorf("finding the admin address in %q: %w", file, err)
	}
	if config.Admin.Disabled {
		return "", fmt.Errorf("%s switches the admin endpoint off (admin off)", file)
	}
	return cmp.Or(config.Admin.Listen, caddy.DefaultAdminListen), nil
}

// parseAddress returns the network and address to dial for an admin address in Caddy's notation. A unix socket's
// permissions (unix//run/admin.sock|0660) are for who listens, and are cut off; so is a scheme that somebody pasted.
func parseAddress(address string) (network, dialed string, err error) {
	a, err := caddy.ParseNetworkAddress(strings.TrimSuffix(strings.TrimPrefix(address, "http://"), "/"))
	if err != nil {
		return "", "", fmt.Errorf("admin address %q: %w", address, err)
	}
	if a.IsUnixNetwork() {
		path, _, _ := strings.Cut(a.Host, "|")
		return a.Network, path, nil
	}
	if !strings.HasPrefix(a.Network, "tcp") || a.PortRangeSize() != 1 || a.StartPort == 0 {
		return "", "", fmt.Errorf("admin address %q: host:port or unix//path is needed", address)
	}
	return a.Network, a.JoinHostPort(0), nil
}
