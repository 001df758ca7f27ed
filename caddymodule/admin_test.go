package caddymodule

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestVia(t *testing.T) {
	socket, tcp := &net.UnixAddr{Name: "/run/admin.sock", Net: "unix"}, &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 2019}
	certified := &tls.ConnectionState{PeerCertificates: []*x509.Certificate{{}}}
	tests := []struct {
		name  string
		local any
		tls   *tls.ConnectionState
		want  string
	}{
		{"unix socket", socket, nil, "socket"},
		{"TCP", tcp, nil, "local"},
		{"TLS without a client's certificate", tcp, &tls.ConnectionState{}, "local"},
		{"TLS with one", tcp, certified, "certificate"},
		{"unknown", nil, nil, "local"},
	}
	for _, tt := range tests {
		r := httptest.NewRequest(http.MethodGet, "/splits/v1/", nil)
		r = r.WithContext(context.WithValue(r.Context(), http.LocalAddrContextKey, tt.local))
		r.TLS = tt.tls
		if got := via(r); got != tt.want {
			t.Errorf("%s: via = %q, want %q", tt.name, got, tt.want)
		}
	}
}
