package splitcmd

import (
	"fmt"
	"strings"

	"github.com/caddyserver/caddy/v2"
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"

	"github.com/switchback-proxy/switchback/api/control"
)

// connect returns a client of the proxy that the flags name. It does not dial yet.
func connect(cmd *cobra.Command) (*control.Client, error) {
	address, err := adminAddress(cmd)
	if err != nil {
		return nil, err
	}
	network, dialed, err := parseAddress(address)
	if err != nil {
		return nil, err
	}
	return control.NewDialer(network, dialed), nil
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
	adapter, err := f.GetString("adapter")
	if err != nil {
		return "", err
	}
	address, err = caddycmd.DetermineAdminAPIAddress(address, nil, config, adapter)
	if err != nil {
		return "", fmt.Errorf("finding the admin address in %q: %w", config, err)
	}
	return address, nil
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
