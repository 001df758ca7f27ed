package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strconv"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// server is a redis-server or a Sentinel with a folder of its own, on a port that it keeps however often it is ended and
// started again. Its methods must not be called concurrently.
type server struct {
	dir     string
	address string
	args    []string
	process *child // nil while it does not run
	client  *redis.Client
}

// startServer starts a redis-server with further arguments; it ends with the lab.
func (l *lab) startServer(ctx context.Context, args ...string) (*server, error) {
	s, err := l.newServer("redis")
	if err != nil {
		return nil, err
	}
	s.args = append([]string{"--port", portOf(s.address), "--bind", "127.0.0.1", "--dir", s.dir, "--save", ""}, args...)
	return s, s.start(ctx)
}

// newServer makes what has a folder, a port and a client, and is to be started.
func (l *lab) newServer(name string) (*server, error) {
	dir, err := l.folder(name)
	if err != nil {
		return nil, err
	}
	address, err := steadyPort()
	if err != nil {
		return nil, err
	}
	s := &server{dir: dir, address: address, client: redis.NewClient(&redis.Options{
		Addr:                     address,
		ContextTimeoutEnabled:    true,
		DialerRetries:            1,
		Protocol:                 2, // flat lists
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	})}
	l.atEnd(s.kill)
	l.atEnd(s.client.Close)
	return s, nil
}

// steadyPorts is how many ports servers may have; there are as many above them for the buses of a Cluster's nodes.
const steadyPorts = 6000

// steadyPort returns a loopback address that was free a moment ago, and is likely to stay so while its server is down:
// the kernel gives ports of that range to nobody who does not name them.
func steadyPort() (string, error) {
	const first, tries = 20_000, 100
	var last error
	for range tries {
		address := net.JoinHostPort("127.0.0.1", strconv.Itoa(first+rand.IntN(steadyPorts)))
		l, err := net.Listen("tcp", address)
		if err != nil {
			last = err
			continue
		}
		return address, l.Close()
	}
	return "", fmt.Errorf("look for a free port: %w", last)
}

// start starts the program and waits until it answers.
func (s *server) start(ctx context.Context) error {
	process, err := startChild(ctx, s.dir, nil, "redis-server", s.args...)
	if err != nil {
		return err
	}
	s.process = process
	err = process.await(ctx, startLimit, func() (bool, error) {
		// A client that was refused once takes a second to try again.
		return accepts(ctx, s.address) && s.client.Ping(ctx).Err() == nil, nil
	})
	if err != nil {
		return fmt.Errorf("start redis-server: %w", err)
	}
	return nil
}

// kill ends the server at once, frozen or not.
func (s *server) kill() error {
	if s.process == nil {
		return nil
	}
	err := s.process.kill()
	s.process = nil
	return err
}

// data is the folder of what the server keeps on disk.
func (s *server) data() string { return filepath.Join(s.dir, "appendonlydir") }

// backUp copies what the server has on disk now, and returns where to.
func (s *server) backUp() (string, error) {
	to, err := os.MkdirTemp(s.dir, "backup-")
	if err != nil {
		return "", fmt.Errorf("make a folder for a backup: %w", err)
	}
	return to, os.CopyFS(to, os.DirFS(s.data()))
}

// restartFrom kills the server and starts it with a backup; an empty one means with nothing.
func (s *server) restartFrom(ctx context.Context, backup string) error {
	if err := errors.Join(s.kill(), os.RemoveAll(s.data())); err != nil {
		return err
	}
	if backup != "" {
		if err := os.CopyFS(s.data(), os.DirFS(backup)); err != nil {
			return fmt.Errorf("restore a backup: %w", err)
		}
	}
	return s.start(ctx)
}

// do has the server carry out commands, in order.
func (s *server) do(ctx context.Context, commands ...[]any) error {
	for _, c := range commands {
		if err := s.client.Do(ctx, c...).Err(); err != nil {
			return fmt.Errorf("redis %v: %w", c[0], err)
		}
	}
	return nil
}
