//go:build unix

package clients

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// switchback is the program under test, built once.
var switchback string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	if os.Getenv("SWITCHBACK_CLIENTS") != "1" {
		fmt.Fprintln(os.Stderr, "clients: skipped, as they need npm packages: make test-clients")
		return 0
	}
	dir, err := os.MkdirTemp("", "clients")
	if err != nil {
		fmt.Fprintln(os.Stderr, "clients:", err)
		return 1
	}
	defer os.RemoveAll(dir)
	switchback = filepath.Join(dir, "switchback")
	if out, err := exec.Command("go", "build", "-o", switchback, "../../cmd/switchback").CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "clients: building the binary: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}
