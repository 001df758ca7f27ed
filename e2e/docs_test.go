//go:build unix

package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/switchback-proxy/switchback/store/storetest"
)

// document reads one of the project's documents.
func document(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// blocks returns a document's indented blocks, without their indentation.
func blocks(text string) []string {
	var found []string
	for _, block := range regexp.MustCompile(`(?m)(^ {4}.*\n(?:^(?: {4}.*)?\n)*)`).FindAllString(text, -1) {
		found = append(found, strings.TrimSpace(regexp.MustCompile(`(?m)^ {4}`).ReplaceAllString(block, ""))+"\n")
	}
	return found
}

// commands returns the commands in a document that begin with a word, without their comments.
func commands(text, begin string) []string {
	var found []string
	for _, block := range blocks(text) {
		for _, line := range strings.Split(block, "\n") {
			if command, _, _ := strings.Cut(line, "  #"); strings.HasPrefix(line, begin) {
				found = append(found, strings.TrimSpace(command))
			}
		}
	}
	return found
}

// TestReadmeCaddyfiles adapts each block of the README that is, or is part of, a Caddyfile.
func TestReadmeCaddyfiles(t *testing.T) {
	t.Parallel()
	const split = "traffic_split assistant {\nstable blue\nvariant blue 99% localhost:1\nvariant green 1% localhost:2\ncanary green\n"
	adapted := 0
	for _, block := range blocks(document(t, "README.md")) {
		text := block
		switch {
		case strings.HasPrefix(block, "failback {"), strings.HasPrefix(block, "judge {"), strings.HasPrefix(block, "rollout {"):
			text = "example.com {\n" + split + block + "}\n}\n"
		case strings.HasPrefix(block, "{"):
			text = block + "\nexample.com {\n" + split + "}\n}\n"
		case !strings.Contains(block, "{\n"):
			continue
		}
		adapted++
		p := newProxy(t, text)
		p.env = append(p.env, "REDIS_PASSWORD=x")
		for _, command := range []string{"adapt", "validate"} {
			if a := p.call(command, "--config", p.configFile()); a.code != 0 {
				t.Errorf("%s\n%s", block, a)
			}
		}
	}
	if adapted != 5 {
		t.Errorf("%d Caddyfiles in the README, want the 5 there were", adapted)
	}
}

// TestBlocksCanBePasted expects that no document has a block of a Caddyfile on one line, which Caddy refuses.
func TestBlocksCanBePasted(t *testing.T) {
	names, err := filepath.Glob("../docs/*.md")
	if err != nil || len(names) == 0 {
		t.Fatalf("no documents: %v", err)
	}
	for _, name := range append(names, "../README.md", "../CHANGELOG.md") {
		text := document(t, strings.TrimPrefix(name, "../"))
		for _, block := range regexp.MustCompile("`[a-z_]+ \\{\\s[^`…{}\"]+\\}`").FindAllString(text, -1) {
			t.Errorf("%s: %s", name, block)
		}
	}
}

func TestExampleCaddyfile(t *testing.T) {
	t.Parallel()
	p := newProxy(t, document(t, "Caddyfile.example"))
	p.env = append(p.env, "SWITCHBACK_SECRET=0123456789abcdef0123456789abcdef",
		"SWITCHBACK_PREVIOUS_SECRET=fedcba9876543210fedcba9876543210", "REDIS_PASSWORD=x",
		"REDIS_CA="+filepath.Join(p.dir, "ca.pem"), "GREEN_DIGEST=sha256:0123", "CHECK_TOKEN=check-token",
		"ALERT_URL=pagerduty:///0123456789abcdef0123456789abcdef", "ALERT_SECRET=x")
	if a := p.call("validate", "--config", p.configFile()); a.code != 0 {
		t.Errorf("%s", a)
	}
	a := p.call("adapt", "--config", p.configFile())
	if a.code != 0 || !json.Valid([]byte(a.out)) {
		t.Errorf("%s", a)
	}
	if a := p.call("fmt", "--diff", p.configFile()); a.code != 0 {
		t.Errorf("it is not formatted: %s", a)
	}
}

// TestDocumentedCommands runs each `switchback split …` of the documents against the README's own Caddyfile, in the
// order in which they stand there.
func TestDocumentedCommands(t *testing.T) {
	for _, name := range []string{"README.md", "docs/operate.md"} {
		t.Run(filepath.Base(name), func(t *testing.T) {
			t.Parallel()
			p := readmeProxy(t)
			found := commands(document(t, name), "switchback split ")
			if len(found) < 4 {
				t.Fatalf("%d commands in %s", len(found), name)
			}
			for _, command := range found {
				cmd := p.shell(command)
				if out, err := cmd.CombinedOutput(); err != nil {
					t.Errorf("%s: %v\n%s", command, err, out)
				}
			}
		})
	}
}

// TestDocumentedCurl asks what the README asks with curl.
func TestDocumentedCurl(t *testing.T) {
	t.Parallel()
	readme := document(t, "README.md")
	path := regexp.MustCompile("`curl localhost:2019/splits/v1/([a-z]+)`").FindStringSubmatch(readme)
	if path == nil {
		t.Fatal("the README has no call of curl")
	}
	p := readmeProxy(t)
	if got := p.ask("GET", path[1], "", nil); got.status != 200 {
		t.Errorf("curl %s: %+v", path[0], got)
	}
}

// readmeProxy runs the first Caddyfile of the README, on a socket and with agents.
func readmeProxy(t *testing.T) *proxy {
	t.Helper()
	blue, green := startAgent(t, "blue"), startAgent(t, "green")
	text := strings.NewReplacer("example.com {", "http://example.test {\nbind SITE", "10.0.0.11:8000", blue.addr,
		"10.0.0.21:8000", green.addr).Replace(blocks(document(t, "README.md"))[0])
	return startProxy(t, "{\nadmin ADMIN\npersist_config off\n}\n"+text)
}

// TestReadmeTrial pastes into a shell what the README says to try, on other ports, and then what ends it.
func TestReadmeTrial(t *testing.T) {
	t.Parallel()
	text := document(t, "README.md")
	ends := regexp.MustCompile("`(switchback stop[^`]*)`").FindStringSubmatch(text)
	if ends == nil {
		t.Fatal("the README does not say how to stop")
	}
	moved := strings.NewReplacer("localhost:8080", fmt.Sprint("localhost:", freePort(t)),
		"localhost:8001", fmt.Sprint("localhost:", freePort(t)), "localhost:8002", fmt.Sprint("localhost:", freePort(t)))
	p := newProxy(t, "")
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(p.dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, block := range blocks(text) {
		switch {
		case strings.HasPrefix(block, "http://localhost:8080 {"):
			write("Caddyfile", moved.Replace(block))
		case strings.HasPrefix(block, "switchback demo agent "):
			write("try.sh", moved.Replace(block)+ends[1]+"\nwait\n")
			out, err := p.shell("bash try.sh").CombinedOutput()
			if err != nil || !strings.Contains(string(out), "HTTP/1.1 200 OK") || !strings.Contains(string(out), "data: [DONE]") {
				t.Errorf("%s\n%v\n%s", block, err, out)
			}
			return
		}
	}
	t.Error("the README has nothing to try")
}

// TestDocumentedRedisUser gives the proxy only what the ACL rule of docs/operate.md allows, and reads the keys as a
// person with redis-cli does.
func TestDocumentedRedisUser(t *testing.T) {
	t.Parallel()
	text := document(t, "docs/operate.md")
	rules := commands(text, "ACL SETUSER ")
	if len(rules) != 1 {
		t.Fatalf("ACL rules in the document: %q", rules)
	}
	redis := storetest.StartRedis(t)
	redis.Do(words(strings.ReplaceAll(rules[0], "PASSWORD", "let-me-in"))...)
	redis.Do("ACL", "SETUSER", "default", "resetpass", "nopass", "+@all")
	s := settings{blue: startAgent(t, "blue"), green: startAgent(t, "green"), redis: redis.Addr()}
	s.redisExtra = "username switchback\npassword let-me-in"
	p := startProxy(t, strings.Replace(s.caddyfile(), "fleet e2e", "fleet production", 1))
	p.mustSplit(0, "weight", "assistant", "green=10%")
	failBack(t, p, s.green)
	p.mustSplit(0, "kill", "assistant")
	p.mustSplit(0, "revive", "assistant")
	p.mustSplit(0, "instances")
	p.mustSplit(0, "events", "assistant")
	if denied := redis.Do("ACL", "LOG"); len(denied.([]any)) > 0 {
		t.Errorf("Redis denied: %v", denied)
	}
	for _, begin := range []string{"HGETALL ", "XREVRANGE "} {
		for _, command := range commands(text, begin) {
			if got := fmt.Sprint(redis.Do(words(command)...)); len(got) < 20 {
				t.Errorf("%s: %s", command, got)
			}
		}
	}
}

// words splits a command for Redis.
func words(command string) []any {
	var list []any
	for _, word := range strings.Fields(command) {
		list = append(list, word)
	}
	return list
}
