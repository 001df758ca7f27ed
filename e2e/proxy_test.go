//go:build unix

package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/switchback-proxy/switchback/api/control"
	"github.com/switchback-proxy/switchback/splitter"
)

// patience bounds every wait; nothing that works comes near it.
const patience = 60 * time.Second

// proxy is one proxy: the binary, in a process of its own with a folder of its own. Its methods fail the test when
// they fail.
type proxy struct {
	t       testing.TB
	dir     string
	env     []string
	client  *control.Client
	http    *http.Client
	user    *syscall.Credential // nil: whoever runs the tests
	process *exec.Cmd
	exited  chan struct{} // closed when process has ended
}

// newProxy makes a proxy that does not run yet. In its Caddyfile, ADMIN, SITE and DIR stand for the addresses that it
// listens on (unix sockets) and its folder.
func newProxy(t testing.TB, caddyfile string) *proxy {
	t.Helper()
	p := &proxy{t: t, dir: shortDir(t)}
	p.env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + p.dir, "USER=tester", "XDG_DATA_HOME=" + p.dir + "/data",
		"XDG_CONFIG_HOME=" + p.dir + "/config"}
	p.client = control.NewDialer("unix", p.adminSocket())
	p.http = unixClient(t, p.siteSocket())
	p.write(caddyfile)
	t.Cleanup(func() {
		p.kill()
		if t.Failed() {
			t.Logf("log of the proxy in %s:\n%s", p.dir, lastLines(p.log(), 12))
		}
	})
	return p
}

// startProxy starts a proxy and waits until it is ready.
func startProxy(t testing.TB, caddyfile string) *proxy {
	t.Helper()
	p := newProxy(t, caddyfile)
	p.start()
	p.awaitReady()
	return p
}

func (p *proxy) adminSocket() string { return filepath.Join(p.dir, "admin.sock") }
func (p *proxy) siteSocket() string  { return filepath.Join(p.dir, "site.sock") }
func (p *proxy) configFile() string  { return filepath.Join(p.dir, "Caddyfile") }

// write writes the Caddyfile.
func (p *proxy) write(caddyfile string) {
	p.t.Helper()
	text := strings.NewReplacer("ADMIN", "unix/"+p.adminSocket(), "SITE", "unix/"+p.siteSocket(), "DIR", p.dir).Replace(caddyfile)
	if err := os.WriteFile(p.configFile(), []byte(text), 0o600); err != nil {
		p.t.Fatal(err)
	}
}

// start starts the process.
func (p *proxy) start() {
	p.t.Helper()
	cmd := p.command("run", "--config", p.configFile())
	logFile, err := os.OpenFile(filepath.Join(p.dir, "log"), os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		p.t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = logFile, logFile
	cmd.SysProcAttr = bound()
	cmd.SysProcAttr.Credential = p.user
	exited, started := make(chan struct{}), make(chan error)
	go func() {
		runtime.LockOSThread() // the process is bound to the thread
		defer close(exited)
		err := cmd.Start()
		started <- errors.Join(err, logFile.Close())
		if err == nil {
			_ = cmd.Wait() // its exit code is looked at by who asks for it
		}
	}()
	if err := <-started; err != nil {
		p.t.Fatalf("starting the proxy: %v", err)
	}
	p.process, p.exited = cmd, exited
}

// command prepares a call of the binary in the proxy's environment.
func (p *proxy) command(args ...string) *exec.Cmd {
	cmd := exec.Command(binary, args...)
	cmd.Dir, cmd.Env = p.dir, p.env
	return cmd
}

// answer is what a command printed and how it ended.
type answer struct {
	args     []string
	out, err string
	code     int
}

func (a answer) String() string {
	return fmt.Sprintf("switchback %s\nexit code %d\n%s%s", strings.Join(a.args, " "), a.code, a.out, a.err)
}

// call runs the binary beside the proxy, in its environment.
func (p *proxy) call(args ...string) answer {
	p.t.Helper()
	cmd := p.command(args...)
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	err := cmd.Run()
	if _, failed := errors.AsType[*exec.ExitError](err); err != nil && !failed {
		p.t.Fatalf("switchback %v: %v", args, err)
	}
	return answer{args, out.String(), errOut.String(), cmd.ProcessState.ExitCode()}
}

// split runs `switchback split` on this proxy.
func (p *proxy) split(args ...string) answer {
	p.t.Helper()
	return p.call(append([]string{"split", "--address", "unix/" + p.adminSocket()}, args...)...)
}

// mustSplit runs `switchback split` and wants an exit code.
func (p *proxy) mustSplit(code int, args ...string) answer {
	p.t.Helper()
	a := p.split(args...)
	if a.code != code {
		p.t.Fatalf("%s\nwant exit code %d", a, code)
	}
	return a
}

// reload loads the Caddyfile anew.
func (p *proxy) reload() answer {
	p.t.Helper()
	return p.call("reload", "--config", p.configFile(), "--address", "unix/"+p.adminSocket(), "--force")
}

// mustReload loads the Caddyfile anew and wants that to work.
func (p *proxy) mustReload(caddyfile string) {
	p.t.Helper()
	p.write(caddyfile)
	if a := p.reload(); a.code != 0 {
		p.t.Fatalf("reload: %s", a)
	}
}

// awaitReady waits until the proxy listens and serves what its store says.
func (p *proxy) awaitReady() {
	p.t.Helper()
	defer p.awaitUp()
	p.await("the proxy is ready", func() bool {
		select {
		case <-p.exited:
			p.t.Fatalf("the proxy ended:\n%s", lastLines(p.log(), 12))
		default:
		}
		ready, err := p.client.Ready(p.t.Context())
		return err == nil && ready.Ready
	})
}

// awaitUp waits until the proxy answers on its site, ready or not.
func (p *proxy) awaitUp() {
	p.t.Helper()
	p.await("the proxy listens", func() bool {
		conn, err := net.Dial("unix", p.siteSocket())
		if err == nil {
			conn.Close()
		}
		return err == nil
	})
}

// await waits until something holds.
func (p *proxy) await(what string, holds func() bool) {
	p.t.Helper()
	await(p.t, what, holds)
}

// status asks for a split's status.
func (p *proxy) status(split string) control.Status {
	p.t.Helper()
	s, err := p.client.Status(p.t.Context(), split)
	if err != nil {
		p.t.Fatalf("status of %s: %v", split, err)
	}
	return s
}

// share returns a variant's weight as the proxy knows it.
func (p *proxy) share(split, variant string) splitter.Weight {
	p.t.Helper()
	for _, v := range p.status(split).Variants {
		if v.Name == variant {
			return v.Weight
		}
	}
	p.t.Fatalf("%s has no variant %s", split, variant)
	return 0
}

// awaitShare waits until a variant has a weight here.
func (p *proxy) awaitShare(split, variant, want string) {
	p.t.Helper()
	p.await(fmt.Sprintf("%s has %s", variant, want), func() bool { return p.share(split, variant).String() == want })
}

// kill ends the process at once, as a power cut does.
func (p *proxy) kill() {
	if p.process == nil {
		return
	}
	_ = p.process.Process.Signal(syscall.SIGKILL) // it may have ended already
	<-p.exited
	p.process = nil
}

// stop asks the process to end and waits for it.
func (p *proxy) stop() {
	p.t.Helper()
	if err := p.process.Process.Signal(syscall.SIGTERM); err != nil {
		p.t.Fatalf("stopping the proxy: %v", err)
	}
	select {
	case <-p.exited:
	case <-time.After(patience):
		p.t.Fatalf("the proxy did not end within %s", patience)
	}
	p.process = nil
}

// log returns all that the proxy has logged.
func (p *proxy) log() string {
	data, err := os.ReadFile(filepath.Join(p.dir, "log"))
	if err != nil {
		return err.Error()
	}
	return string(data)
}

// shell prepares a command line of the documents, with the binary on the PATH and the proxy's admin address in the
// variable that names it.
func (p *proxy) shell(command string) *exec.Cmd {
	cmd := exec.Command("sh", "-c", command)
	cmd.Dir = p.dir
	cmd.Env = append(slices.Clone(p.env), "PATH="+filepath.Dir(binary)+":"+os.Getenv("PATH"),
		"CADDY_ADMIN=unix/"+p.adminSocket())
	return cmd
}
