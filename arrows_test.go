package finch_test

import (
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
)

const modulePath = "github.com/finch-go/finch"

// mayImport holds the arrows of the house: what of ours the code of a package
// may import, tests apart. A name that ends in /... speaks for every package
// below it that has no row of its own, and those may import each other.
var mayImport = map[string][]string{
	".":                                     {"internal/hub", "internal/feed", "internal/conn", "internal/frame", "protocol", "broker", "broker/memory", "clients/ts"},
	"protocol":                              {},
	"internal/frame":                        {},
	"internal/conn":                         {"internal/frame", "internal/wheel"},
	"internal/wheel":                        {},
	"internal/hub":                          {"broker", "protocol"},
	"internal/child":                        {}, // not for what users import: it is for tests, and for what tests and measures
	"internal/docs":                         {},
	"internal/badday":                       {".", "finchtest", "broker"},
	"broker":                                {},
	"broker/memory":                         {"broker"},
	"broker/redis":                          {"broker", "internal/vigil"},
	"broker/brokertest":                     {"broker"},
	"broker/nats":                           {"broker", "internal/vigil"},
	"broker/nats/embedded":                  {"broker", "broker/nats"},
	"broker/nats/embedded/internal/servers": {"broker", "broker/brokertest", "broker/nats", "internal/child"},
	"broker/nats/embedded/virtual":          {},
	"internal/feed":                         {"broker"},
	"internal/vigil":                        {"broker"},
	"internal/redisserver":                  {}, // like internal/child
	"internal/scripted":                     {"internal/frame", "protocol"},
	"client":                                {"protocol", "internal/frame", "broker"},
	"clients/suite/...":                     {"client", "internal/scripted", "internal/frame", "protocol"},
	"clients/ts":                            {},
	"clients/ts/test/server":                {"."},
	"finchtest":                             {".", "protocol", "internal/frame"},
	"examples/...":                          {".", "finchtest", "protocol"},
	"cmd/finch/...":                         {".", "client", "clients/ts", "protocol", "internal/frame", "broker", "broker/nats", "broker/nats/embedded", "broker/redis"},
	"cmd/finch/internal/store/servers":      {"internal/child", "internal/redisserver"}, // of the tests, and no business of the demo
	"e2e/...":                               {},
	"bench/...":                             {"internal/frame"},
	"bench/cluster/...":                     {".", "broker", "broker/nats", "broker/nats/embedded", "broker/redis", "internal/child", "internal/frame", "internal/redisserver"},
	"chaos/...":                             {".", "client", "broker", "broker/memory", "broker/nats", "broker/nats/embedded", "broker/redis", "internal/child", "internal/frame", "internal/redisserver", "protocol"},
	"tools/...":                             {},
}

// thirdParty lists what the root module may import from others, each with its
// reason. Modules of their own (cmd/finch, examples/mount) say it in their go.mod.
var thirdParty = map[string]string{
	"github.com/klauspost/compress/flate": "permessage-deflate: the standard library's compressor knows no window below 32 KiB, so that RFC 7692's server_max_window_bits could not be honoured, and costs 2.4 times the memory and 1.5 times the time",
}

func TestPackagesImportOnlyAlongTheArrows(t *testing.T) {
	faults, err := arrowFaults(os.DirFS("."), mayImport, thirdParty)
	if err != nil {
		t.Fatal(err)
	}
	for _, fault := range faults {
		t.Error(fault)
	}
}

// arrowFaults parses the import statements of the files themselves. A test that
// asked `go list` instead would go on passing from the test cache after an arrow
// was broken, because the cache does not see what another program reads.
func arrowFaults(house fs.FS, mayImport map[string][]string, thirdParty map[string]string) ([]string, error) {
	var faults []string
	err := walkGoFiles(house, func(file string, inRoot bool) error {
		if strings.HasSuffix(file, "_test.go") {
			return nil
		}
		source, err := fs.ReadFile(house, file)
		if err != nil {
			return err
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, source, parser.ImportsOnly)
		if err != nil {
			return err
		}
		pkg := path.Dir(file)
		row, ok := arrowRow(pkg, mayImport)
		if !ok {
			faults = append(faults, fmt.Sprintf("%s: %s is a new package: add its row to mayImport in arrows_test.go", file, pkg))
			return nil
		}
		for _, spec := range parsed.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			if why := arrowFault(pkg, row, imported, mayImport[row], inRoot, thirdParty); why != "" {
				faults = append(faults, file+": "+why)
			}
		}
		return nil
	})
	return faults, err
}

func arrowFault(pkg, row, imported string, allowed []string, inRoot bool, thirdParty map[string]string) string {
	ours, isOurs := strings.CutPrefix(imported, modulePath)
	first, _, _ := strings.Cut(imported, "/")
	switch {
	case isOurs && ours == "":
		ours = "."
	case isOurs && ours[0] == '/':
		ours = ours[1:]
	case !strings.Contains(first, "."): // the standard library
		return ""
	case inRoot && thirdParty[imported] == "":
		return fmt.Sprintf("imports %s: the root module has no third-party imports but those that thirdParty in arrows_test.go gives a reason for", imported)
	default:
		return ""
	}
	if slices.Contains(allowed, ours) {
		return ""
	}
	if family, ok := strings.CutSuffix(row, "/..."); ok && strings.HasPrefix(ours, family+"/") {
		return ""
	}
	return fmt.Sprintf("%s must not import %s (it may import of ours: %s)", pkg, ours, strings.Join(allowed, ", "))
}

// arrowRow finds the row of a package: its own, or that of the nearest family above it.
func arrowRow(pkg string, mayImport map[string][]string) (string, bool) {
	if _, ok := mayImport[pkg]; ok {
		return pkg, true
	}
	for dir := pkg; dir != "."; dir = path.Dir(dir) {
		if _, ok := mayImport[dir+"/..."]; ok {
			return dir + "/...", true
		}
	}
	return "", false
}

// walkGoFiles visits every Go file of the house, and says whether it belongs to
// the root module or to one of its own. Like go itself it passes over testdata
// and names that begin with a dot or an underscore.
func walkGoFiles(house fs.FS, visit func(file string, inRoot bool) error) error {
	nested := map[string]bool{".": false}
	return fs.WalkDir(house, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		base := path.Base(name)
		if name == "." {
			return nil
		}
		if d.IsDir() {
			if base == "testdata" || base == "node_modules" || base == "vendor" || base[0] == '.' || base[0] == '_' {
				return fs.SkipDir
			}
			_, err := fs.Stat(house, name+"/go.mod")
			nested[name] = nested[path.Dir(name)] || err == nil
			return nil
		}
		if !strings.HasSuffix(base, ".go") || base[0] == '.' || base[0] == '_' {
			return nil
		}
		return visit(name, !nested[path.Dir(name)])
	})
}

// TestContributingShowsTheArrows compares the table of CONTRIBUTING.md, rows of
// the form | `folder` | what it is | `may`, `import` |, with mayImport.
func TestContributingShowsTheArrows(t *testing.T) {
	page, err := os.ReadFile("CONTRIBUTING.md")
	if err != nil {
		t.Fatal(err)
	}
	names := regexp.MustCompile("`([^`]+)`")
	shown := map[string][]string{}
	for line := range strings.Lines(string(page)) {
		cells := strings.Split(line, "|")
		if len(cells) != 5 || !names.MatchString(cells[1]) {
			continue
		}
		allowed := []string{}
		for _, name := range names.FindAllStringSubmatch(cells[3], -1) {
			allowed = append(allowed, name[1])
		}
		slices.Sort(allowed)
		shown[names.FindStringSubmatch(cells[1])[1]] = allowed
	}
	for pkg, allowed := range mayImport {
		pkg = strings.TrimSuffix(pkg, "/...")
		got, ok := shown[pkg]
		if want := slices.Sorted(slices.Values(allowed)); !ok || !slices.Equal(got, want) {
			t.Errorf("the table in CONTRIBUTING.md says of %s %q, mayImport says %q", pkg, got, want)
		}
		delete(shown, pkg)
	}
	for pkg := range shown {
		t.Errorf("the table in CONTRIBUTING.md has a row for %s, mayImport has none", pkg)
	}
}

func TestArrowsThatAreBrokenAreFound(t *testing.T) {
	arrows := map[string][]string{
		".":             {"protocol"},
		"protocol":      {},
		"cmd/finch/...": {"."},
	}
	source := func(imports ...string) *fstest.MapFile {
		text := "package p\n"
		for _, i := range imports {
			text += "import " + strconv.Quote(i) + "\n"
		}
		return &fstest.MapFile{Data: []byte(text)}
	}
	tests := []struct {
		name  string
		house fstest.MapFS
		want  string // a part of the only fault; empty = none
	}{
		{"an arrow of the table", fstest.MapFS{"a.go": source("net/http", modulePath+"/protocol")}, ""},
		{"an arrow against the table", fstest.MapFS{"protocol/a.go": source(modulePath)}, "protocol must not import ."},
		{"a package without a row", fstest.MapFS{"broker/a.go": source()}, "add its row"},
		{"a test may import anything", fstest.MapFS{"protocol/a_test.go": source(modulePath)}, ""},
		{"a third party in the root module", fstest.MapFS{"a.go": source("example.com/x")}, "third-party"},
		{"a third party with a reason", fstest.MapFS{"a.go": source("example.com/reasoned")}, ""},
		{"a third party in a module of its own", fstest.MapFS{"cmd/finch/go.mod": {}, "cmd/finch/internal/demo/a.go": source("example.com/x")}, ""},
		{"an arrow of a module of its own", fstest.MapFS{"cmd/finch/go.mod": {}, "cmd/finch/a.go": source(modulePath + "/protocol")}, "cmd/finch must not import protocol"},
		{"one family", fstest.MapFS{"cmd/finch/a.go": source(modulePath + "/cmd/finch/internal/demo")}, ""},
		{"a name that only begins like ours", fstest.MapFS{"a.go": source(modulePath + "er/x")}, "third-party"},
		{"test data", fstest.MapFS{"protocol/testdata/a.go": source(modulePath)}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			faults, err := arrowFaults(tt.house, arrows, map[string]string{"example.com/reasoned": "a reason"})
			if err != nil {
				t.Fatal(err)
			}
			switch {
			case tt.want == "" && len(faults) > 0:
				t.Errorf("found faults where there are none: %q", faults)
			case tt.want != "" && (len(faults) != 1 || !strings.Contains(faults[0], tt.want)):
				t.Errorf("found %q, want one fault with %q", faults, tt.want)
			}
		})
	}
}
