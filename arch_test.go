package switchback_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// module is the path of this module; imports that begin with it are ours.
const module = "github.com/switchback-proxy/switchback"

// mayImport is the architecture: a package of ours, and what it may import of ours. "store/*" stands for every package
// below store, "*" for everything. "." is the root package. The loop from a verdict to the next decision closes through
// data (the State in the store), never through an import: ARCHITECTURE.md says how.
var mayImport = map[string][]string{
	".": {"caddymodule", "cmd/splitcmd"},

	"splitter": {},
	"health":   {},
	"stream":   {},

	"store":   {"splitter", "health"},
	"store/*": {"splitter", "health", "store"},
	"rollout": {"splitter", "health", "store"},
	"alert":   {"rollout", "store", "splitter", "health"},

	"api/control":   {"splitter", "health", "rollout", "store"},
	"api/ofrep":     {"splitter"},
	"api/dashboard": {},

	"caddymodule": {
		"splitter", "health", "stream", "rollout", "alert", "store", "store/embedded", "store/redis",
		"api/control", "api/ofrep", "api/dashboard",
	},
	"cmd/splitcmd": {"api/control", "health", "splitter"},
	"cmd/switchback": {
		"caddymodule", "cmd/splitcmd", "cmd/switchback/demo", "api/control", "health", "sim", "splitter",
	},
	"cmd/switchback/demo": {"api/control", "rollout", "splitter", "store"}, // the last two for names in answers

	"sim":     {"splitter", "health", "rollout", "store", "store/*"},
	"sim/*":   {"splitter", "health", "rollout", "store", "store/*", "sim"},
	"bench":   {"*"},
	"bench/*": {"*"},
	"e2e":     {"*"},
	"e2e/*":   {"*"},
}

// testsMayImport is what the tests of a package may import of ours besides.
var testsMayImport = map[string][]string{
	"cmd/switchback/demo": {"caddymodule", "cmd/splitcmd", "health", "store/storetest"},
	"rollout":             {"store/embedded", "store/redis", "store/storetest"},
	"sim":                 {"sim/fleet"}, // its stories and schedules
	"store/*":             {"store/storetest"},
}

// pure lists the packages that may import the standard library alone, and the third-party packages that each may
// import all the same. Their tests are free to use others.
var pure = map[string][]string{
	"splitter": {"github.com/cespare/xxhash/v2"}, // hash functions only
	"health":   {},
	"stream":   {},
}

// knowsCaddy lists the packages that may import Caddy. All others must stay usable, and testable, without it.
var knowsCaddy = []string{"caddymodule", "cmd/*", "cmd/switchback/*", "bench", "bench/*", "e2e", "e2e/*"}

func TestImports(t *testing.T) {
	unknown := map[string]bool{}
	for _, f := range sourceFiles(t) {
		if _, ok := rowOf(mayImport, f.pkg); !ok {
			unknown[f.pkg] = true
			continue
		}
		for _, imp := range f.imports {
			if why := breach(f.pkg, imp, f.test); why != "" {
				t.Errorf("%s imports %q: %s", f.path, imp, why)
			}
		}
	}
	for pkg := range unknown {
		t.Errorf("package %q is not in the table mayImport of arch_test.go: give it a row that says what it may import,"+
			" and its line in ARCHITECTURE.md", pkg)
	}
}

// TestNothingIsSilenced keeps the rules of .golangci.yml without exception: a finding is mended, not hidden.
func TestNothingIsSilenced(t *testing.T) {
	for _, f := range sourceFiles(t) {
		for _, c := range f.comments {
			if silencer.MatchString(c) {
				t.Errorf("%s: %q silences a linter: mend the code, or change the rule for all in .golangci.yml", f.path, c)
			}
		}
	}
}

var silencer = regexp.MustCompile(`^(//|/\*)\s*(nolint\b|lint:(file-)?ignore\b|revive:disable\b|#nosec\b)`)

func TestSilencer(t *testing.T) {
	for _, tt := range []struct {
		in   string
		want bool
	}{
		{"//nolint", true},
		{"//nolint:errcheck // because", true},
		{"// nolint", true},
		{"//lint:ignore SA1019 because", true},
		{"//lint:file-ignore U1000 because", true},
		{"//revive:disable:exported", true},
		{"/* #nosec */", true},
		{"//go:embed files", false},
		{"// a rule against nolint comments", false},
	} {
		if got := silencer.MatchString(tt.in); got != tt.want {
			t.Errorf("silencer.MatchString(%q) = %t, want %t", tt.in, got, tt.want)
		}
	}
}

// TestTableIsClosed finds rows that allow what the table does not know: a slip of the pen there would allow nothing.
func TestTableIsClosed(t *testing.T) {
	for _, table := range []map[string][]string{mayImport, testsMayImport} {
		for pkg, row := range table {
			for _, allowed := range row {
				if _, ok := rowOf(mayImport, allowed); !ok && allowed != "*" {
					t.Errorf("row %q allows %q, which has no row itself", pkg, allowed)
				}
			}
		}
	}
}

func TestBreach(t *testing.T) {
	for _, tt := range []struct {
		pkg, imp string
		test     bool
		want     bool
	}{
		{pkg: "splitter", imp: "strings"},
		{pkg: "splitter", imp: "github.com/cespare/xxhash/v2"},
		{pkg: "splitter", imp: "net/http", want: true},
		{pkg: "splitter", imp: "net/http", test: true, want: true},
		{pkg: "splitter", imp: module + "/health", want: true},
		{pkg: "splitter", imp: module + "/splitter", test: true},
		{pkg: "splitter", imp: "go.uber.org/zap", want: true},
		{pkg: "splitter", imp: "pgregory.net/rapid", test: true},
		{pkg: "health", imp: "github.com/cespare/xxhash/v2", want: true},
		{pkg: "rollout", imp: module + "/store"},
		{pkg: "rollout", imp: module + "/store/redis", want: true},
		{pkg: "rollout", imp: "github.com/caddyserver/caddy/v2", want: true},
		{pkg: "store/redis", imp: "github.com/redis/go-redis/v9"},
		{pkg: "store/redis", imp: module + "/store/storetest", want: true},
		{pkg: "store/redis", imp: module + "/store/storetest", test: true},
		{pkg: "caddymodule", imp: "github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"},
		{pkg: "caddymodule", imp: module + "/sim", want: true},
		{pkg: "caddymodule", imp: module + "/cmd/switchback", want: true},
		{pkg: "cmd/splitcmd", imp: "github.com/caddyserver/caddy/v2/cmd"},
		{pkg: "sim", imp: module + "/store/embedded"},
		{pkg: "e2e", imp: module + "/cmd/splitcmd"},
		{pkg: ".", imp: module + "/caddymodule"},
		{pkg: "alert", imp: module, want: true},
	} {
		if got := breach(tt.pkg, tt.imp, tt.test); (got != "") != tt.want {
			t.Errorf("breach(%q, %q, test %t) = %q, want a breach: %t", tt.pkg, tt.imp, tt.test, got, tt.want)
		}
	}
}

// breach says why package pkg, or its tests, must not import imp; empty if it may.
func breach(pkg, imp string, test bool) string {
	switch {
	case imp == module || strings.HasPrefix(imp, module+"/"):
		return breachOfOurs(pkg, strings.TrimPrefix(strings.TrimPrefix(imp, module), "/"), test)
	case pkg == "splitter" && imp == "net/http":
		return "package splitter decides for any key, wherever it comes from: it must not know HTTP"
	case strings.HasPrefix(imp, "github.com/caddyserver/") && !matches(knowsCaddy, pkg):
		return "only caddymodule and cmd/* may import Caddy"
	}
	allowed, isPure := pure[pkg]
	if isPure && !test && !isStdlib(imp) && !slices.Contains(allowed, imp) {
		return "the package is pure: beyond the standard library, the table pure of arch_test.go must name it"
	}
	return ""
}

func breachOfOurs(pkg, ours string, test bool) string {
	if ours == "" {
		ours = "."
	}
	allowed, _ := rowOf(mayImport, pkg)
	if test {
		extra, _ := rowOf(testsMayImport, pkg)
		allowed = slices.Concat(allowed, extra)
	}
	// A test in package foo_test imports foo itself.
	if matches(allowed, ours) || test && ours == pkg {
		return ""
	}
	return "the table mayImport of arch_test.go allows it only [" + strings.Join(allowed, ", ") + "] of ours"
}

// rowOf returns the row of a package: its own, or that of the folder it is in.
func rowOf(table map[string][]string, pkg string) ([]string, bool) {
	if row, ok := table[pkg]; ok {
		return row, true
	}
	row, ok := table[path.Dir(pkg)+"/*"]
	return row, ok
}

func matches(patterns []string, pkg string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool {
		return p == "*" || p == pkg || p == path.Dir(pkg)+"/*"
	})
}

// isStdlib reports whether an import path is of the standard library, whose first element has no dot.
func isStdlib(imp string) bool {
	first, _, _ := strings.Cut(imp, "/")
	return !strings.Contains(first, ".")
}

// sourceFile is what the rules need to know of one Go file.
type sourceFile struct {
	path     string
	pkg      string // folder below the root, with slashes; "." is the root
	test     bool
	imports  []string
	comments []string
}

// sourceFiles returns all Go files of the tree, whatever their build tags, and of nested modules too. They are parsed
// rather than listed by `go list`, which would know only the files of this platform.
func sourceFiles(t *testing.T) []sourceFile {
	t.Helper()
	files, err := readTree()
	if err != nil {
		t.Fatal(err)
	}
	if len(files) == 0 {
		t.Fatal("no Go files found: is the test run in the root of the module?")
	}
	return files
}

var readTree = sync.OnceValues(func() ([]sourceFile, error) {
	var files []sourceFile
	err := filepath.WalkDir(".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && isIgnored(name):
			return fs.SkipDir
		case d.IsDir() || filepath.Ext(name) != ".go":
			return nil
		}
		f, err := readFile(name)
		files = append(files, f)
		return err
	})
	return files, err
})

// isIgnored reports whether the go command ignores a folder.
func isIgnored(dir string) bool {
	base := filepath.Base(dir)
	return dir != "." && (strings.HasPrefix(base, ".") || strings.HasPrefix(base, "_") || base == "testdata")
}

func readFile(name string) (sourceFile, error) {
	parsed, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
	if err != nil {
		return sourceFile{}, err
	}
	f := sourceFile{
		path: filepath.ToSlash(name),
		pkg:  filepath.ToSlash(filepath.Dir(name)),
		test: strings.HasSuffix(name, "_test.go"),
	}
	for _, imp := range parsed.Imports {
		importPath, err := strconv.Unquote(imp.Path.Value)
		if err != nil {
			return sourceFile{}, err
		}
		f.imports = append(f.imports, importPath)
	}
	for _, group := range parsed.Comments {
		for _, c := range group.List {
			f.comments = append(f.comments, c.Text)
		}
	}
	return f, nil
}
