//go:build unix

package demo

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/switchback-proxy/switchback/store/storetest"
)

// demoLimit bounds a whole run, which takes half a minute, or longer on a machine that has much else to do.
const demoLimit = 5 * time.Minute

// TestDemo runs the real thing: the binary, its proxies as processes, all steps.
func TestDemo(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes more than a minute")
	}
	binary := filepath.Join(t.TempDir(), "switchback")
	if out, err := exec.Command("go", "build", "-o", binary, "..").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	t.Run("embedded", func(t *testing.T) { runDemo(t, binary, 1) })
	t.Run("redis", func(t *testing.T) {
		server := storetest.StartRedis(t)
		runDemo(t, binary, 2, "--redis", "redis://"+server.Addr())
		if keys := server.Do("KEYS", "*"); len(keys.([]any)) != 0 {
			t.Errorf("left in Redis: %q, want nothing", keys)
		}
	})
	t.Run("interrupted", func(t *testing.T) { interruptDemo(t, binary) })
	t.Run("no redis", func(t *testing.T) {
		out, err := command(t, binary, t.TempDir(), "--redis", "redis://127.0.0.1:1").CombinedOutput()
		if err == nil || !bytes.Contains(out, []byte("127.0.0.1:1 does not answer")) {
			t.Errorf("got %v\n%s\nwant an error that says who does not answer", err, out)
		}
	})
}

// command returns a demo whose temporary files are in dir.
func command(t *testing.T, binary, dir string, args ...string) *exec.Cmd {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), demoLimit)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, binary, append([]string{"demo"}, args...)...)
	cmd.Env = append(os.Environ(), "TMPDIR="+dir)
	return cmd
}

// runDemo runs all steps and wants each of them to succeed, and nothing to be left behind.
func runDemo(t *testing.T, binary string, proxies int, args ...string) {
	dir := t.TempDir()
	cmd := command(t, binary, dir, append(args, "--json")...)
	var out, story bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &story
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v\n%s", err, story.String())
	}
	var got report
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatalf("the report is not JSON: %v\n%s", err, out.String())
	}
	if !got.OK || got.Error != "" || got.Proxies != proxies || len(got.Steps) != len(new(demo).scenes()) {
		t.Errorf("got %s\nwant all steps and %d proxies", out.String(), proxies)
	}
	for _, s := range got.Steps {
		if !s.OK {
			t.Errorf("step %q is broken: %s", s.Name, s.Detail)
		}
	}
	if f := got.Failback; f == nil || f.UsersHurt == 0 || f.UsersHurt >= f.Users || f.Reason == "" {
		t.Errorf("got failback %+v, want some of the users hurt, and a reason", f)
	}
	wantEmpty(t, dir)
}

// interruptDemo presses Ctrl-C while visitors are about.
func interruptDemo(t *testing.T, binary string) {
	dir := t.TempDir()
	cmd := command(t, binary, dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var complaint bytes.Buffer
	cmd.Stderr = &complaint
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if strings.Contains(lines.Text(), "green to 1%") {
			break
		}
	}
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	for lines.Scan() { // to the end
	}
	err = cmd.Wait()
	if cmd.ProcessState.ExitCode() != 1 || !strings.Contains(complaint.String(), "interrupted") {
		t.Errorf("got %v and %q, want exit code 1 and the reason", err, complaint.String())
	}
	wantEmpty(t, dir)
}

// wantEmpty checks that the demo left no file behind, and so no proxy, which would be missing its folder.
func wantEmpty(t *testing.T, dir string) {
	t.Helper()
	left, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range left {
		t.Errorf("left behind: %s", entry.Name())
	}
}
