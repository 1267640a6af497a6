package leak

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"heapsnap/diff"
	"heapsnap/fixtures"
	"heapsnap/heapsnap"
	"heapsnap/internal/textgraph"
)

// A file in testdata is a text graph of a series, as Node would have it, and
// the program's sources, each behind a line "-- name --".
func readCase(t *testing.T, name string) (graph string, sources map[string]string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name+".txt"))
	if err != nil {
		t.Fatal(err)
	}
	marks := regexp.MustCompile(`(?m)^-- (.*) --\n`)
	names := marks.FindAllStringSubmatch(string(text), -1)
	parts := marks.Split(string(text), -1)
	sources = map[string]string{}
	for i, m := range names {
		sources[m[1]] = parts[i+1]
	}
	return parts[0], sources
}

// run explains a series.
func run(t *testing.T, graph string, sources map[string]string) []Finding {
	t.Helper()
	var earlier []*heapsnap.Identities
	var last *heapsnap.Snapshot
	for _, data := range textgraph.Series(t, graph) {
		if last != nil {
			earlier = append(earlier, last.Identities())
		}
		var err error
		if last, err = heapsnap.Read(context.Background(), bytes.NewReader(data), heapsnap.Options{}); err != nil {
			t.Fatal(err)
		}
	}
	d, err := diff.Compare(context.Background(), earlier, last, diff.Options{})
	if err != nil {
		t.Fatal(err)
	}
	findings, err := Run(context.Background(), d, Options{Source: func(script string) ([]byte, error) {
		if text, ok := sources[script]; ok {
			return []byte(text), nil
		}
		return nil, errors.New("no such source")
	}})
	if err != nil {
		t.Fatal(err)
	}
	return findings
}

// only returns the single finding of a case.
func only(t *testing.T, graph string, sources map[string]string) Finding {
	t.Helper()
	findings := run(t, graph, sources)
	if len(findings) != 1 {
		var titles []string
		for _, f := range findings {
			titles = append(titles, f.Rule+": "+f.Title)
		}
		t.Fatalf("%d findings %q, want one", len(findings), titles)
	}
	return findings[0]
}

// at writes a place as compilers do.
func at(l *Location) string {
	if l == nil {
		return "nowhere"
	}
	return fmt.Sprintf("%s:%d:%d in %s: %s", l.File, l.Line, l.Column, l.Function, strings.TrimSpace(l.Code))
}

// explanation is what a finding has to say.
type explanation struct {
	name, rule, title, holder string
	location                  string
	entries                   []int
	unit                      string
	told                      string // part of the evidence or the sample
	path                      string // its hops, without ids
}

// One row per file in testdata, whose heaps are shaped as those of Node 20 to
// 26 are.
var explained = []explanation{
	{"cache-package", "cache", `Map "cache" in @acme/memo/lib/index.js only grows`, `Map "cache" in @acme/memo/lib/index.js`,
		"/app/quotes.js:11:18 in handle: const answer = quote(Number(req.amount));", []int{35, 35, 35}, "entries",
		"it is reached through the package @acme/memo@2.3.1",
		`(GC roots) | [x] function handle | variable "quote" function memoized | variable "cache" Map | [x] Object`},
	{"listener", "listener", `listeners for "price" on PriceFeed "feed" in quotes.js are added and never removed`, `PriceFeed "feed" in quotes.js, event "price"`,
		"/app/quotes.js:14:8 in handle: feed.on('price', (price) => session.update(price));", []int{40, 40, 40}, "listeners",
		`"session" alive, about 512 bytes`,
		`(GC roots) | [x] function handle | variable "feed" PriceFeed | ._events Object | .price Array | [x] function (anonymous)`},
	{"listener-eventtarget", "listener", `listeners for "abort" on AbortSignal .<symbol kSignal> of AbortController "shutdown" in jobs.mjs are added and never removed`,
		`AbortSignal .<symbol kSignal> of AbortController "shutdown" in jobs.mjs, event "abort"`,
		"file:///app/jobs.mjs:5:19 in run: shutdown.signal.addEventListener('abort', stop);", []int{30, 30, 30}, "listeners",
		`"job" alive, about 256 bytes`,
		`(GC roots) | [x] function run | variable "shutdown" AbortController | .<symbol kSignal> AbortSignal | .<symbol kEvents> SafeMap | [x] Object | ` +
			`.next Listener | ... 67 more times .next Listener | .next Listener | .callback function stop`},
	{"timer", "timer", "timers of setInterval are started and never cleared", "Node's timer lists, 30000 ms",
		"/app/chat.js:5:3 in login: setInterval(() => session.beat(), 30_000);", []int{50, 50, 50}, "timers",
		`"session" alive, about 512 bytes`,
		`(GC roots) | [x] function processTimers | variable "timerListMap" Object | .30000 TimersList | ._idleNext Timeout | ... 36 more times ._idleNext Timeout | ._idleNext Timeout`},
	{"closure", "closure", `each function keeps the one before it through its variable "previous"`, `variable "current" in broker.js`,
		"/app/broker.js:8:14 in onMessage: onMessage(m) { return hello; },", []int{30, 30, 30}, "functions",
		`a chain of 89 scopes, each keeping the next through variable "previous"`,
		`(GC roots) | [x] function reconnect | scope scope in broker.js | variable "current" Object | .onMessage function onMessage | variable "previous" Object | .onMessage function onMessage`},
	{"closure-kept", "closure", `functions are put into Array .undo of Store "store" in documents.js and stay there`, `Array .undo of Store "store" in documents.js`,
		"/app/documents.js:7:20 in (anonymous): this.undo.push(() => this.restore(before));", []int{25, 25, 25}, "functions",
		`"before" alive, about 700 bytes`,
		`(GC roots) | [x] function main | variable "store" Store | .undo Array | [x] function (anonymous)`},
	{"cache", "cache", `Map "results" in shop.js only grows`, `Map "results" in shop.js`,
		"/app/shop.js:9:3 in search: results.set(url, result);", []int{35, 35, 35}, "entries",
		`"/search?session=104": Result`,
		`(GC roots) | [x] function search | variable "results" Map | [x] Result`},
	{"promise", "promise", `calls of place() wait for Promise .ready of Warehouse "warehouse" in orders.js, which does not settle`,
		`Promise .ready of Warehouse "warehouse" in orders.js`,
		"/app/orders.js:6:3 in place: await warehouse.ready;", []int{30, 30, 30}, "suspended calls",
		`what would settle it is the function .connected of Emitter "line"`,
		`(GC roots) | [x] function place | variable "warehouse" Warehouse | .ready Promise | reactions_or_result function (anonymous) | extension Generator`},
	{"buffer", "buffer", `parts of buffers are put into Array "signatures" in store.js, and keep the whole buffers`, `Array "signatures" in store.js`,
		"/app/store.js:6:3 in enter: signatures.push({ signature });", []int{20, 20, 20}, "buffers",
		"the parts are of 16 bytes each, 960 in all, and keep 3000000",
		`(GC roots) | [x] function enter | variable "signatures" Array | [x] Object | .signature Buffer`},
	{"buffer-kept", "buffer", `buffers are put into Array .messages of Inbox "inbox" in mail.js and stay there`, `Array .messages of Inbox "inbox" in mail.js`,
		"/app/mail.js:4:9 in receive: inbox.messages.push(Buffer.from(text));", []int{20, 20, 20}, "buffers",
		"8192 bytes is the size of a slab of Buffer's pool",
		`(GC roots) | [x] function receive | variable "inbox" Inbox | .messages Array | [x] Buffer`},
	{"string", "string", `parts of texts are put into Set "seen" in hooks.js, and keep the whole texts`, `Set "seen" in hooks.js`,
		"/app/hooks.js:10:22 in receive: if (!seen.has(id)) seen.add(id);", []int{40, 40, 40}, "parts of texts",
		"120 parts keep 120 texts of 1080000 bytes, one mostly of 9000",
		`(GC roots) | [x] function receive | variable "seen" Set | [x] string`},
	{"string-rope", "string", `text is added to variable "protocol" in import.js, and none is taken away`, `variable "protocol" in import.js`,
		"/app/import.js:4:3 in note: protocol += `row ${row} is bad`;", []int{50, 50, 50}, "additions",
		"row is bad", `(GC roots) | [x] function note | scope scope in import.js | variable "protocol" string | first string | ... 10 more times first string | first string`},
	{"stream", "stream", `streams are piped into Recording "recording" in terminal.js and never end`, `Recording "recording" in terminal.js`,
		"/app/terminal.js:6:8 in login: keys.pipe(recording, { end: false });", []int{30, 30, 30}, "streams",
		"most of them are of class Transform",
		`(GC roots) | [x] function login | variable "recording" Recording | ._events Object | .unpipe Array | [x] function onunpipe | variable "src" Transform`},
	{"stream-kept", "stream", `streams are put into Array "channels" in channels.js and never closed`, `Array "channels" in channels.js`,
		"/app/channels.js:8:3 in open: channels.push({ packer });", []int{30, 30, 30}, "streams",
		"90 of them have memory of zlib's outside the heap",
		`(GC roots) | [x] function open | variable "channels" Array | [x] Object | .packer Gzip`},
	{"listener-signal", "listener", "listeners are added to signals of AbortSignal.any and never removed", "Node's list of signals of AbortSignal.any with listeners",
		"/app/work.js:5:10 in run: signal.addEventListener('abort', () => job.stop());", []int{40, 40, 40}, "signals",
		"with them go what Node keeps for each: FinalizationRegistry",
		`(GC roots) | [x] function AbortController | variable "gcPersistentSignals" SafeSet | [x] AbortSignal`},
	{"listener-channel", "listener", `listeners for "app.request" on Channel "requests" in trace.js are added and never removed`, `Channel "requests" in trace.js, event "app.request"`,
		"/app/trace.js:5:12 in watch: requests.subscribe((message) => job.note(message));", []int{30, 30, 30}, "listeners",
		`"job" alive, about 300 bytes`,
		`(GC roots) | [x] function watch | variable "requests" Channel | ._subscribers Array | [x] function (anonymous)`},
	{"worker", "worker", "worker threads are started and never ended", "open worker threads (Worker)",
		"/app/invoices.js:7:24 in (anonymous): const worker = new Worker('./sums.js', { workerData: rates });", []int{30, 30, 30}, "worker threads",
		"", `(GC roots) | [x] (Global handles) | [x] Worker | .onexit function (anonymous) | variable "this" Worker`},
	{"socket", "socket", "connections are opened and never closed", "open connections (Socket)",
		"/app/gateway.js:6:24 in (anonymous): const socket = net.connect(directory).on('error', reject);", []int{40, 40, 40}, "connections",
		"to directory.internal", "(GC roots) | [x] (Global handles) | [x] TCP | .<symbol owner_symbol> Socket"},
	{"child-process", "child-process", "child processes are started and never end", `Set "children" in text.js`,
		"/app/text.js:7:27 in filter: const child = processes.spawn('/usr/bin/indent', ['--kr']);", []int{10, 10, 10}, "child processes",
		`the newest runs "indent"`, `(GC roots) | [x] function filter | variable "children" Set | [x] ChildProcess`},
	{"module", "module", `discounts.js is loaded anew again and again, and its old copies stay`, `Module.children of prices.js`,
		"/app/prices.js:6:10 in discounts: return require(file);", []int{25, 25, 25}, "modules",
		`there are 75 copies of /app/discounts.js`,
		`(GC roots) | [x] function discounts | variable "module" Module | .children Array | [x] Module`},
	{"error", "error", `errors are put into Array "failures" in payments.js and stay there`, `Array "failures" in payments.js`,
		"/app/payments.js:7:5 in pay: failures.push(error);", []int{35, 35, 35}, "errors",
		`the frames of each error's stack keep objects alive: Payment, about 600 bytes`,
		`(GC roots) | [x] function pay | variable "failures" Array | [x] RangeError`},
	{"global", "global", `the global visits only grows`, `Array globalThis.visits`,
		"/app/site.js:5:3 in visit: visits.push(new Visit(path, words));", []int{35, 35, 35}, "entries",
		`"visits" is global because it is assigned without const, let or var at line 1`,
		`global | .visits Array | [x] Visit`},
	{"symbol", "symbol", `Symbol.for is called with ever new names, and V8 keeps them all`, `the registry of Symbol.for`,
		"/app/count.js:2:57 in count: const all = Symbol.for('visits of all'), key = Symbol.for(`visits of ${user}`);", []int{35, 35, 35}, "symbols",
		`visits of 104`,
		`(GC roots) | [x] (Strong roots) | public_symbol_table[x] symbol`},
	{"code", "code", `functions and scripts that are compiled at run time are kept in Array "filters" in filters.js`, `Array "filters" in filters.js`,
		"/app/filters.js:5:3 in filter: filters.push(test);", []int{35, 35, 35}, "compiled functions and scripts", "",
		`(GC roots) | [x] function filter | variable "filters" Array | [x] function anonymous`},
	{"async-context", "async-context", `the store of AsyncLocalStorage "traces" in worker.js.spans only grows`, `the store of AsyncLocalStorage "traces" in worker.js.spans`,
		"/app/worker.js:4:21 in trace: traces.getStore().spans.push(new Span(name));", []int{35, 35, 35}, "entries", "",
		`(GC roots) | [x] Promise | .<symbol kResourceStore> Object | .spans Array | [x] Span`},
	{"weak", "weak", `what is given to FinalizationRegistry "registry" in files.js keeps the registered objects alive`, `FinalizationRegistry "registry" in files.js`,
		"/app/files.js:5:12 in open: registry.register(file, () => file.close());", []int{35, 35, 35}, "registrations",
		`105 of 105 held values lead to their own target`,
		`(GC roots) | [x] function open | variable "registry" FinalizationRegistry | cells function (anonymous)`},
	{"growth", "growth", `AuditRecord .first of AuditTrail "trail" in audit.js keeps more and more`, `AuditRecord .first of AuditTrail "trail" in audit.js`,
		"/app/audit.js:7:15 in append: this.last.next = record;", []int{40, 40, 40}, "objects",
		"",
		`(GC roots) | [x] function change | variable "trail" AuditTrail | .first AuditRecord | .next AuditRecord`},
}

func TestRun(t *testing.T) {
	for _, test := range explained {
		t.Run(test.name, func(t *testing.T) {
			graph, sources := readCase(t, test.name)
			f := only(t, graph, sources)
			check := func(what, got, want string) {
				t.Helper()
				if got != want {
					t.Errorf("%s = %s\nwant %s", what, got, want)
				}
			}
			check("Rule", f.Rule, test.rule)
			check("Holder", f.Holder.Name, test.holder)
			check("Location", at(f.Location), test.location)
			if !strings.HasPrefix(f.Title, test.title) {
				t.Errorf("Title = %s\nwant %s", f.Title, test.title)
			}
			if !slices.Equal(f.Entries, test.entries) || !strings.HasSuffix(f.Unit, test.unit) {
				t.Errorf("Entries = %d %s, want %d %s", f.Entries, f.Unit, test.entries, test.unit)
			}
			if told := strings.Join(append(f.Evidence, f.Sample...), "\n"); !strings.Contains(told, test.told) {
				t.Errorf("Evidence and Sample = %s\nwant %s", told, test.told)
			}
			var hops []string
			for _, h := range f.Path {
				hops = append(hops, strings.TrimPrefix(h.Edge+" "+h.Node, " "))
			}
			check("Path", strings.Join(hops, " | "), test.path)
			if f.Fix == "" {
				t.Error("no Fix")
			}
		})
	}
}

// sourceOnly are rules whose objects have no place of their own.
var sourceOnly = []string{"code", "growth", "module", "symbol"}

// Without sources there is the line that the heap itself knows: the function's,
// or the constructor's of what is kept.
func TestRunWithoutSources(t *testing.T) {
	for _, test := range explained {
		graph, _ := readCase(t, test.name)
		f := only(t, graph, nil)
		if f.Rule != test.rule || f.Location == nil && !slices.Contains(sourceOnly, test.rule) {
			t.Errorf("%s: Rule, Location = %s, %s, want %s and a line", test.name, f.Rule, at(f.Location), test.rule)
		}
	}
}

// The same leak in another process, in another release, on another machine.
func TestFingerprint(t *testing.T) {
	number := func(pattern string, add int) func(string) string {
		re := regexp.MustCompile(pattern)
		return func(text string) string {
			return re.ReplaceAllStringFunc(text, func(s string) string {
				m := re.FindStringSubmatch(s)
				v, err := strconv.Atoi(m[2])
				if err != nil {
					t.Fatal(err)
				}
				return m[1] + strconv.Itoa(v+add)
			})
		}
	}
	ids, lines := number(`(@)(\d{2,}|[2-9])`, 20_000), number(`( at 4:)(\d+)`, 10)
	changes := []struct {
		name   string
		change func(graph string, sources map[string]string) (string, map[string]string)
	}{
		{"other ids", func(graph string, sources map[string]string) (string, map[string]string) { return ids(graph), sources }},
		{"other sizes", func(graph string, sources map[string]string) (string, map[string]string) {
			return number(`(" )(\d+)`, 8)(graph), sources
		}},
		{"another order", func(graph string, sources map[string]string) (string, map[string]string) {
			objects := strings.Split(strings.ReplaceAll(graph, "\n ", "\x00"), "\n@")
			slices.Reverse(objects[2:])
			return strings.ReplaceAll(strings.Join(objects, "\n@"), "\x00", "\n "), sources
		}},
		{"another folder", func(graph string, sources map[string]string) (string, map[string]string) {
			moved := map[string]string{}
			for name, text := range sources {
				moved[strings.Replace(name, "/app/", "/srv/releases/17/", 1)] = text
			}
			return strings.ReplaceAll(graph, "/app/", "/srv/releases/17/"), moved
		}},
		{"other lines", func(graph string, sources map[string]string) (string, map[string]string) {
			longer := map[string]string{}
			for name, text := range sources {
				longer[name] = "// licence\n" + strings.Repeat("\n", 9) + text
			}
			return lines(graph), longer
		}},
	}
	seen := map[string]string{}
	for _, test := range explained {
		graph, sources := readCase(t, test.name)
		want := only(t, graph, sources)
		if other := seen[want.Fingerprint]; other != "" {
			t.Errorf("%s has the fingerprint of %s", test.name, other)
		}
		seen[want.Fingerprint] = test.name
		for _, c := range changes {
			changed, changedSources := c.change(graph, sources)
			if got := only(t, changed, changedSources); got.Fingerprint != want.Fingerprint || got.Location == nil {
				t.Errorf("%s with %s: Fingerprint, Title, Location = %s, %s, %s, want %s, %s", test.name, c.name,
					got.Fingerprint, got.Title, at(got.Location), want.Fingerprint, want.Title)
			}
		}
	}
}

// A rule is documented, shown by a text graph, and has a program that leaks and
// its repair.
func TestRules(t *testing.T) {
	for i, r := range Rules() {
		for field, text := range map[string]string{
			"Name": r.Name, "Title": r.Title, "Cause": r.Cause, "Sign": r.Sign, "Fix": r.Fix, "Before": r.Before, "After": r.After,
		} {
			if strings.TrimSpace(text) == "" {
				t.Errorf("%s: no %s", r.Name, field)
			}
		}
		if len(r.Links) == 0 {
			t.Errorf("%s: no Links", r.Name)
		}
		for _, link := range r.Links {
			if !strings.HasPrefix(link, "https://") {
				t.Errorf("%s: link %q is not https", r.Name, link)
			}
		}
		if r.explain == nil {
			t.Errorf("%s: explains nothing", r.Name)
		}
		if i > 0 && Rules()[i-1].Name >= r.Name {
			t.Errorf("%s stands behind %s", r.Name, Rules()[i-1].Name)
		}
		if _, err := os.Stat(filepath.Join("testdata", r.Name+".txt")); err != nil {
			t.Errorf("%s: no text graph: %v", r.Name, err)
		}
		if !slices.ContainsFunc(fixtures.All(), func(f fixtures.Fixture) bool {
			return f.Kind == r.Name && f.Leak.Source != nil && f.Fixed.Source != nil
		}) {
			t.Errorf("%s: no fixture with leak.js and fixed.js", r.Name)
		}
	}
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".txt")
		if !slices.ContainsFunc(explained, func(e explanation) bool { return e.name == name }) {
			t.Errorf("%s is in no test", file)
		}
	}
}

// What does not leak has nothing to explain.
func TestRunSilent(t *testing.T) {
	graph, sources := readCase(t, "listener")
	// Listeners of a round are gone in the next.
	graph = strings.ReplaceAll(graph, "i<120 +1+i/40", "i<120 +1+i/40 -(2+i/40)")
	if findings := run(t, graph, sources); len(findings) != 0 {
		t.Errorf("%d findings, the first %q, want none", len(findings), findings[0].Title)
	}
}

func TestRunCancelled(t *testing.T) {
	gone := errors.New("nobody waits any more")
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(gone)
	d := &diff.Diff{Sites: []*diff.GrowthSite{{Judgement: diff.Leak}}}
	if _, err := Run(ctx, d, Options{}); !errors.Is(err, gone) {
		t.Errorf("Run = %v, want the cause of the cancellation", err)
	}
}
