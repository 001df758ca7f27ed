//go:build unix

package e2e

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

var (
	root   string // folder of all that the tests write
	binary string // the program under test, built once
)

// concurrent is how many tests run at once: they spend their time waiting for others.
const concurrent = "6"

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	flag.Parse()
	if testing.Short() {
		fmt.Fprintln(os.Stderr, "e2e: skipped, as it starts processes")
		return 0
	}
	if err := flag.Set("test.parallel", concurrent); err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		return 1
	}
	var err error
	root, err = os.MkdirTemp("", "e2e")
	if err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		return 1
	}
	defer os.RemoveAll(root)
	if err := os.Chmod(root, 0o755); err != nil { // one test runs the binary as somebody else
		fmt.Fprintln(os.Stderr, "e2e:", err)
		return 1
	}
	binary = filepath.Join(root, "switchback")
	if out, err := exec.Command("go", "build", "-o", binary, "../cmd/switchback").CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "e2e: building the binary: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}
