//go:build unix

package storetest

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// Redis is a real redis-server on a loopback port, with a folder of its own. It keeps what it has been told over Kill
// and Restart. Its methods fail the test when they fail, and must not be called concurrently.
type Redis struct {
	t       testing.TB
	folder  string
	port    string
	args    []string
	process *exec.Cmd // nil while killed
	exited  chan struct{}
	client  *goredis.Client
	saved   Dump
}

// StartRedis starts a redis-server with further arguments and kills it when the test ends. Without the program the
// test is skipped, but fails where the environment variable CI is set.
func StartRedis(t testing.TB, args ...string) *Redis {
	t.Helper()
	r := newRedis(t, args)
	r.connect(nil)
	r.start()
	return r
}

// StartTLSRedis starts a redis-server that speaks only TLS, and returns it with the file of the authority that signed
// its certificate for 127.0.0.1.
func StartTLSRedis(t testing.TB) (r *Redis, caFile string) {
	t.Helper()
	r = newRedis(t, nil)
	pki := newPKI(t, r.folder)
	r.args = append(r.args, "--port", "0", "--tls-port", r.port, "--tls-cert-file", pki.certFile, "--tls-key-file",
		pki.keyFile, "--tls-ca-cert-file", pki.caFile, "--tls-auth-clients", "no")
	r.connect(&tls.Config{MinVersion: tls.VersionTLS12, RootCAs: pki.pool})
	r.start()
	return r, pki.caFile
}

// newRedis chooses a port and a folder.
func newRedis(t testing.TB, args []string) *Redis {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("redis-server is needed: %v", err)
		}
		t.Skip("redis-server is not installed; it is what this test is about (apt install redis-server)")
	}
	r := &Redis{t: t, folder: t.TempDir(), port: freePort(t)}
	r.args = append([]string{"--port", r.port, "--bind", "127.0.0.1", "--dir", r.folder, "--save", "", "--appendonly",
		"yes"}, args...)
	t.Cleanup(func() {
		if r.process != nil {
			r.Kill()
		}
	})
	return r
}

// freePort returns a loopback port that was free a moment ago. It is below those that the kernel hands out by itself, so
// that no connection takes it before the server does, or while the server is down.
func freePort(t testing.TB) string {
	t.Helper()
	var last error
	for range 100 {
		port := strconv.Itoa(20_000 + rand.IntN(12_000))
		listener, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", port))
		if err != nil {
			last = err
			continue
		}
		if err := listener.Close(); err != nil {
			t.Fatalf("closing the listener: %v", err)
		}
		return port
	}
	t.Fatalf("looking for a free port: %v", last)
	return ""
}

// connect makes the client that Do uses. It has one connection, which stays logged in when a test changes passwords.
func (r *Redis) connect(config *tls.Config) {
	r.client = goredis.NewClient(&goredis.Options{
		Addr:                     r.Addr(),
		TLSConfig:                config,
		PoolSize:                 1,
		Protocol:                 2,
		DisableIdentity:          true,
		DialerRetries:            1,
		MaxRetries:               -1,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	})
	r.t.Cleanup(func() {
		if err := r.client.Close(); err != nil {
			r.t.Errorf("closing the client of redis-server: %v", err)
		}
	})
}

// start starts the program and waits until it answers.
func (r *Redis) start() {
	r.t.Helper()
	logFile, err := os.OpenFile(r.logPath(), os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		r.t.Fatal(err)
	}
	cmd := exec.Command("redis-server", r.args...)
	cmd.Stdout, cmd.Stderr = logFile, logFile
	if err := errors.Join(cmd.Start(), logFile.Close()); err != nil {
		r.t.Fatalf("starting redis-server: %v", err)
	}
	exited := make(chan struct{})
	go func() {
		defer close(exited)
		_ = cmd.Wait() // says that it was killed
	}()
	r.process, r.exited = cmd, exited
	r.awaitAnswer()
}

// awaitAnswer waits until the server answers a ping.
func (r *Redis) awaitAnswer() {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for {
		err := r.ping(ctx)
		if err == nil {
			return
		}
		select {
		case <-r.exited:
			r.t.Fatalf("redis-server ended: %s", r.log())
		case <-ctx.Done():
			r.t.Fatalf("redis-server does not answer: %v: %s", err, r.log())
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// ping asks the server for an answer, once it listens: a client that was refused once would wait for a second.
func (r *Redis) ping(ctx context.Context) error {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", r.Addr())
	if err != nil {
		return err
	}
	return errors.Join(conn.Close(), r.client.Ping(ctx).Err())
}

// logPath returns the file that the server writes its messages to.
func (r *Redis) logPath() string { return filepath.Join(r.folder, "log") }

// log returns what the server said.
func (r *Redis) log() string {
	data, err := os.ReadFile(r.logPath())
	if err != nil {
		return err.Error()
	}
	return string(data)
}

// Addr returns host:port.
func (r *Redis) Addr() string { return net.JoinHostPort("127.0.0.1", r.port) }

// Kill ends the server at once (SIGKILL), frozen or not.
func (r *Redis) Kill() {
	r.t.Helper()
	r.signal(syscall.SIGKILL)
	<-r.exited
	r.process = nil
}

// Restart starts the server again, on the same port and with the same data; if it runs, it is killed first.
func (r *Redis) Restart() {
	r.t.Helper()
	if r.process != nil {
		r.Kill()
	}
	r.start()
}

// Pause freezes the server (SIGSTOP): the kernel goes on accepting connections and nobody answers.
func (r *Redis) Pause() {
	r.t.Helper()
	r.signal(syscall.SIGSTOP)
}

// Resume wakes the server from Pause.
func (r *Redis) Resume() {
	r.t.Helper()
	r.signal(syscall.SIGCONT)
}

// signal sends a signal to the server.
func (r *Redis) signal(s syscall.Signal) {
	r.t.Helper()
	if r.process == nil {
		r.t.Fatalf("sending %v: redis-server was killed", s)
	}
	if err := r.process.Process.Signal(s); err != nil {
		r.t.Fatalf("sending %v to redis-server: %v", s, err)
	}
}

// Do sends a command as the default user and returns the reply; nil is a reply too.
func (r *Redis) Do(args ...any) any {
	r.t.Helper()
	reply, err := r.client.Do(context.Background(), args...).Result()
	if err != nil && !errors.Is(err, goredis.Nil) {
		r.t.Fatalf("redis %s: %v", fmt.Sprint(args...), err)
	}
	return reply
}

// text is Do for a reply that is text.
func (r *Redis) text(args ...any) string {
	r.t.Helper()
	text, ok := r.Do(args...).(string)
	if !ok {
		r.t.Fatalf("redis %s: got no text", fmt.Sprint(args...))
	}
	return text
}

// list is Do for a reply that is a list.
func (r *Redis) list(args ...any) []any {
	r.t.Helper()
	list, ok := r.Do(args...).([]any)
	if !ok {
		r.t.Fatalf("redis %s: got no list", fmt.Sprint(args...))
	}
	return list
}

// await waits until a condition holds.
func (r *Redis) await(what string, holds func() bool) {
	r.t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); !holds(); <-tick.C {
		if time.Now().After(deadline) {
			r.t.Fatalf("no %s within %v: %s", what, patience, r.log())
		}
	}
}
