package splitcmd

import "testing"

func TestParseAddress(t *testing.T) {
	tests := []struct{ in, network, address, err string }{
		{"localhost:2019", "tcp", "localhost:2019", ""},
		{"http://localhost:2019/", "tcp", "localhost:2019", ""},
		{":2019", "tcp", ":2019", ""},
		{"tcp4/127.0.0.1:2019", "tcp4", "127.0.0.1:2019", ""},
		{"[::1]:2019", "tcp", "[::1]:2019", ""},
		{"unix//run/switchback/admin.sock", "unix", "/run/switchback/admin.sock", ""},
		{"unix//run/switchback/admin.sock|0660", "unix", "/run/switchback/admin.sock", ""},
		{"localhost", "", "", `admin address "localhost": host:port or unix//path is needed`},
		{"localhost:2019-2021", "", "", `admin address "localhost:2019-2021": host:port or unix//path is needed`},
		{"udp/localhost:2019", "", "", `admin address "udp/localhost:2019": host:port or unix//path is needed`},
		{"fd/3", "", "", `admin address "fd/3": host:port or unix//path is needed`},
	}
	for _, tt := range tests {
		network, address, err := parseAddress(tt.in)
		got := ""
		if err != nil {
			got = err.Error()
		}
		if network != tt.network || address != tt.address || got != tt.err {
			t.Errorf("parseAddress(%q) = %q, %q, %q, want %q, %q, %q", tt.in, network, address, got, tt.network, tt.address, tt.err)
		}
	}
}
