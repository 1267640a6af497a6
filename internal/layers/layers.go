// Package layers holds the diagram of who may import whom, as data, and finds the imports that break it.
//
// Imports are parsed from source and not asked from `go list`, whose answer a cached test would not see
// change. Files of every build tag count. The diagram in words is in docs/ and in the package comments.
package layers

import (
	"cmp"
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
)

// module is the path in go.mod.
const module = "heapsnap"

// all stands for every package of ours, the test helpers in internal excepted.
const all = "*"

// packages maps a top-level folder to the top-level folders that its packages may import. A folder that is
// not here may hold no Go code: add one only when a reader would look for it by that name.
var packages = map[string][]string{
	"cmd":         {all},
	"check":       {"cdp", "diff", "eventloop", "heapsnap", "jssource", "leak", "report", "trend"},
	"report":      {}, // plain data only: every other package may be mapped to it, it maps nothing
	"memory":      {"cdp"},
	"heapprofile": {"jssource", "sourcemap"},
	"oom":         {"memory"},
	"trend":       {},
	"watch":       {"cdp", "memory", "trend"},
	"leak":        {"diff", "heapsnap", "jssource", "sourcemap"},
	"eventloop":   {"cdp", "jssource", "sourcemap"},
	"diff":        {"heapsnap"},
	"heapsnap":    {}, // meets cdp at io.Reader
	"cdp":         {}, // meets heapsnap at io.Writer
	"jssource":    {},
	"redact":      {"heapsnap", "sourcemap"}, // between cdp and a file, at io.Writer
	"sourcemap":   {},
	"fixtures":    {},
	"docs":        {all},             // tests that hold a document to the code
	"internal":    {all, "internal"}, // test helpers
}

// testOnly lists what _test.go files of any package may import besides what the package may.
var testOnly = []string{"fixtures", "internal", "report"}

// modules maps a module of others to the folders that may import it, and why there.
var modules = []struct {
	path    string
	folders []string
	why     string
}{
	{"github.com/chromedp/cdproto", []string{"cdp"}, "only cdp speaks the protocol"},
	{"github.com/go-json-experiment/json", []string{"cdp"}, "cdproto's types are written in it"},
	{"github.com/gorilla/websocket", []string{"cdp", "internal"}, "only cdp has a connection; internal scripts its other end"},
	{"github.com/klauspost/compress", []string{"heapsnap", "check", "cmd"}, "zstd, where a snapshot is read or written"},
	{"github.com/parquet-go/parquet-go", []string{"cmd"}, "tables for databases"},
	{"github.com/spf13/cobra", []string{"cmd"}, "a library has no command line"},
	{"github.com/spf13/pflag", []string{"cmd"}, "a library has no command line"},
	{"github.com/google/pprof", []string{"eventloop", "heapprofile", "report"}, "the library of pprof's format, where profiles are exported"},
	{"github.com/tdewolff/parse/v2", []string{"jssource"}, "only jssource takes JavaScript apart"},
	{"go.yaml.in/yaml/v4", []string{"check"}, "configuration and baseline of the gate"},
	{"golang.org/x/image", []string{"report"}, "only report draws"},
	{"golang.org/x/sys", []string{"cdp", "check", "cmd", "heapsnap"}, "processes and terminals; what the processor can"},
	{"golang.org/x/term", []string{"cmd"}, "only cmd knows a terminal"},
	{"gonum.org/v1/plot", []string{"report"}, "only report draws"},
}

// testModules are modules that _test.go files of any package may import, and no other file.
var testModules = []string{"github.com/santhosh-tekuri/jsonschema/v6", "github.com/gorilla/websocket"}

// websocket may be imported by one file of cdp, so that another implementation is a change of one file.
const websocket = "github.com/gorilla/websocket"

// cdprotoRoot pulls in every domain of the protocol; its sub-packages are one domain each.
const cdprotoRoot = "github.com/chromedp/cdproto"

// A Breach is an import that the diagram does not have.
type Breach struct {
	File   string // slash-separated, from the module's root
	Line   int
	Import string
	Why    string
}

func (b Breach) String() string {
	return fmt.Sprintf("%s:%d: %q: %s", b.File, b.Line, b.Import, b.Why)
}

// Breaches parses every Go file below root, the module's folder, and returns what breaks the diagram, in
// order of file and line. Folders that the go command ignores, and modules of their own, are left out.
func Breaches(root fs.FS) ([]Breach, error) {
	var found []Breach
	var connections []Breach // imports of websocket by non-test files of cdp
	err := fs.WalkDir(root, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			return skipDir(root, name)
		}
		if path.Ext(name) != ".go" {
			return nil
		}
		src, err := fs.ReadFile(root, name)
		if err != nil {
			return err
		}
		files := token.NewFileSet()
		file, err := parser.ParseFile(files, name, src, parser.ImportsOnly)
		if err != nil {
			return err
		}
		folder, _, inFolder := strings.Cut(name, "/")
		if _, known := packages[folder]; !inFolder || !known {
			found = append(found, Breach{name, 1, "", "no package of the diagram lives here"})
			return nil
		}
		test := strings.HasSuffix(name, "_test.go")
		for _, spec := range file.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			b := Breach{name, files.Position(spec.Pos()).Line, imported, refusal(folder, imported, test)}
			if b.Why != "" {
				found = append(found, b)
			}
			if imported == websocket && folder == "cdp" && !test {
				connections = append(connections, b)
			}
		}
		return nil
	})
	for i := 1; i < len(connections); i++ {
		b := connections[i]
		b.Why = "a second file with a connection; the first is " + connections[0].File
		found = append(found, b)
	}
	slices.SortFunc(found, func(a, b Breach) int {
		return cmp.Or(strings.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line))
	})
	return found, err
}

func skipDir(root fs.FS, name string) error {
	if name == "." {
		return nil
	}
	base := path.Base(name)
	if strings.HasPrefix(base, ".") || strings.HasPrefix(base, "_") || base == "testdata" || base == "node_modules" {
		return fs.SkipDir
	}
	if _, err := fs.Stat(root, path.Join(name, "go.mod")); err == nil {
		return fs.SkipDir
	}
	return nil
}

// refusal says why a file in folder may not import a package; "" if it may.
func refusal(folder, imported string, test bool) string {
	if ours, ok := strings.CutPrefix(imported, module+"/"); ok {
		top, _, _ := strings.Cut(ours, "/")
		return oursRefusal(folder, top, test)
	}
	first, _, _ := strings.Cut(imported, "/")
	if !strings.Contains(first, ".") {
		if imported == "C" {
			return "heapsnap is built without cgo"
		}
		return "" // standard library
	}
	return modulesRefusal(folder, imported, test)
}

func oursRefusal(folder, top string, test bool) string {
	may := packages[folder]
	switch {
	case top == folder, slices.Contains(may, top):
		return ""
	case top != "internal" && slices.Contains(may, all):
		return ""
	case test && slices.Contains(testOnly, top):
		return ""
	case top == "internal":
		return "internal holds test helpers, for _test.go files only"
	}
	return fmt.Sprintf("%s may import of ours: %s", folder, cmp.Or(strings.Join(may, " "), "nothing"))
}

func modulesRefusal(folder, imported string, test bool) string {
	if imported == cdprotoRoot {
		return "import the domain's sub-package: the root has all domains"
	}
	if test && slices.ContainsFunc(testModules, func(m string) bool { return within(imported, m) }) {
		return ""
	}
	for _, m := range modules {
		if !within(imported, m.path) {
			continue
		}
		if slices.Contains(m.folders, folder) {
			return ""
		}
		return fmt.Sprintf("only in %s: %s", strings.Join(m.folders, " "), m.why)
	}
	if slices.ContainsFunc(testModules, func(m string) bool { return within(imported, m) }) {
		return "for _test.go files only"
	}
	return "a module that is not in internal/layers: say there who may import it and why"
}

// within reports whether a package belongs to a module.
func within(imported, module string) bool {
	return imported == module || strings.HasPrefix(imported, module+"/")
}
