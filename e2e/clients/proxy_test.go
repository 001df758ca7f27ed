//go:build unix

package clients

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/switchback-proxy/switchback/api/control"
	"github.com/switchback-proxy/switchback/splitter"
)

// patience bounds every wait for the proxy; nothing that works comes near it.
const patience = 20 * time.Second

// proxy is the binary in a process of its own, with a split for each protocol.
type proxy struct {
	url   string          // of the site
	admin string          // the admin endpoint's socket
	ended <-chan struct{} // closed when the process has ended
}

// startProxy starts the proxy in front of the agents' server and waits until it is ready. The site's listener is opened
// here and handed on, so that its port is the kernel's choice and nobody else's.
func startProxy(t *testing.T, agents string) *proxy {
	t.Helper()
	site, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer site.Close()
	file, err := site.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	dir := filepath.Dir(switchback)
	p := &proxy{url: "http://" + site.Addr().String(), admin: filepath.Join(dir, "admin.sock")}
	config := filepath.Join(dir, "Caddyfile")
	if err := os.WriteFile(config, []byte(p.caddyfile(agents)), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(switchback, "run", "--config", config)
	cmd.Dir = dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir}
	cmd.ExtraFiles = []*os.File{file} // fd/3
	p.ended = runProcess(t, cmd)
	p.awaitReady(t)
	return p
}

// runProcess runs a process until the test has ended, and returns what is closed when the process has.
func runProcess(t *testing.T, cmd *exec.Cmd) <-chan struct{} {
	t.Helper()
	log := new(bytes.Buffer)
	cmd.Stdout, cmd.Stderr, cmd.SysProcAttr = log, log, bound()
	started, ended := make(chan error), make(chan struct{})
	go func() {
		runtime.LockOSThread() // the process is bound to the thread
		defer close(ended)
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait() // it is killed
		}
	}()
	if err := <-started; err != nil {
		t.Fatalf("start %s: %v", cmd, err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it may have ended already
		<-ended
		if t.Failed() {
			t.Logf("log of the proxy, which ended with %v:\n%s", cmd.ProcessState, lastLines(log.String(), 12))
		}
	})
	return ended
}

func lastLines(text string, n int) string {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}

// caddyfile has a split for each protocol. Classifying is on by itself.
func (p *proxy) caddyfile(agents string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "{\n\tadmin unix/%s\n\tauto_https off\n\tpersist_config off\n\tmetrics\n\tlog {\n\t\tlevel ERROR\n\t}\n"+
		"\tservers {\n\t\tprotocols h1 h2c\n\t}\n}\n\nhttp:// {\n\tbind fd/3\n", p.admin)
	for _, protocol := range protocols {
		fmt.Fprintf(&b, `
	handle /%[1]s/* {
		traffic_split %[1]s {
			key client_ip
			stable blue
			canary green
			variant blue 100%% %[2]s
			variant green 0%% %[2]s
			failback off
			stall 1s
		}
	}
`, protocol.name, protocol.scheme+agents)
	}
	b.WriteString("}\n")
	return b.String()
}

// cutOnCue kills a split, and cuts what it serves, when its agent gives the cue and what the client opens with is over. It
// returns what waits for that.
func (p *proxy) cutOnCue(t *testing.T, split string, opened func() (bool, error)) (wait func()) {
	t.Helper()
	done := make(chan error, 1)
	go func() {
		select {
		case <-cues[split]:
		case <-time.After(patience):
			done <- errors.New("the agent gave no cue")
			return
		}
		var err error
		if !within(func() (ok bool) { ok, err = opened(); return ok || err != nil }) || err != nil {
			done <- cmp.Or(err, errors.New("the client has not opened"))
			return
		}
		_, err = control.NewDialer("unix", p.admin).Kill(t.Context(), split, control.KillRequest{Level: splitter.KillCut,
			Claim: control.Claim{Reason: "the scene"}})
		done <- err
	}()
	return func() {
		t.Helper()
		if err := <-done; err != nil {
			t.Errorf("cut: %v", err)
		}
	}
}

// awaitReady waits until the proxy has its States and listens.
func (p *proxy) awaitReady(t *testing.T) {
	t.Helper()
	admin := control.NewDialer("unix", p.admin)
	await(t, "the proxy is ready", func() bool {
		select {
		case <-p.ended:
			t.Fatal("the proxy ended")
		default:
		}
		ready, err := admin.Ready(t.Context())
		return err == nil && ready.Ready
	})
	await(t, "the proxy answers", func() bool {
		resp, err := http.Get(p.url)
		if err == nil {
			resp.Body.Close()
		}
		return err == nil
	})
}

// await waits until something holds.
func await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	if !within(holds) {
		t.Fatalf("not within %s: %s", patience, what)
	}
}

// within waits until something holds, and reports whether it came to that.
func within(holds func() bool) bool {
	deadline := time.Now().Add(patience)
	for !holds() {
		if time.Now().After(deadline) {
			return false
		}
		time.Sleep(20 * time.Millisecond)
	}
	return true
}
