package demo

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"
)

// closeGrace is how long answers in flight may go on when a server ends.
const closeGrace = time.Second

// serve answers requests on a listener until ctx is done, which is no error.
func serve(ctx context.Context, listener net.Listener, handler http.Handler) error {
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	select {
	case err := <-ended:
		return fmt.Errorf("serve on %s: %w", listener.Addr(), err)
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeGrace)
	defer cancel()
	err := server.Shutdown(grace)
	if errors.Is(err, context.DeadlineExceeded) {
		err = server.Close()
	}
	if last := <-ended; !errors.Is(last, http.ErrServerClosed) {
		err = errors.Join(err, last)
	}
	if err != nil {
		return fmt.Errorf("close the server on %s: %w", listener.Addr(), err)
	}
	return nil
}

// listenLocally returns a listener on a loopback port that the kernel chose.
func listenLocally(ctx context.Context) (net.Listener, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("find a free port: %w", err)
	}
	return listener, nil
}

// freePort returns a loopback address that was free a moment ago, for a process that cannot be handed a listener.
func freePort(ctx context.Context) (string, error) {
	listener, err := listenLocally(ctx)
	if err != nil {
		return "", err
	}
	address := listener.Addr().String()
	if err := listener.Close(); err != nil {
		return "", fmt.Errorf("free the port of %s: %w", address, err)
	}
	return address, nil
}
