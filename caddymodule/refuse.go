package caddymodule

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// grpcUnavailable is gRPC's status code for "try again later".
const grpcUnavailable = "14"

// refuse answers a request that the kill switch stands in the way of. It answers itself, past handle_errors, so that
// no error page hides it.
func (h *Handler) refuse(w http.ResponseWriter, r *http.Request) error {
	k := h.KillResponse
	header := w.Header()
	header.Set("Cache-Control", "no-store")
	if after := time.Duration(k.RetryAfter); after > 0 {
		header.Set("Retry-After", strconv.Itoa(int((after+time.Second-1)/time.Second)))
	}
	if kind := r.Header.Get("Content-Type"); strings.HasPrefix(kind, "application/grpc") { // gRPC-Web too
		header.Set("Content-Type", kind)
		header.Set("Grpc-Status", grpcUnavailable)
		header.Set("Grpc-Message", grpcMessage(k.Body))
		w.WriteHeader(http.StatusOK)
		return nil
	}
	header.Set("Content-Type", "text/plain; charset=utf-8")
	header.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(k.Status)
	if r.Method == http.MethodHead {
		return nil
	}
	_, err := w.Write([]byte(k.Body))
	return err
}

// grpcMessage percent-encodes a message as gRPC's header wants it: all but printable ASCII, and the percent sign.
func grpcMessage(s string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; c >= ' ' && c <= '~' && c != '%' {
			b.WriteByte(c)
		} else {
			b.WriteByte('%')
			b.WriteByte(hex[c>>4])
			b.WriteByte(hex[c&15])
		}
	}
	return b.String()
}
