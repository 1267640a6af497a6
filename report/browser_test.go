package report

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"heapsnap/internal/browser"
)

// The pages as a browser has them: they ask for nothing, say nothing to the
// console, and what can be clicked does what it says. HEAPSNAP_SHOTS names a
// folder for screenshots, to look at.

func openPage(t *testing.T, b *browser.Browser, name string, page []byte, look browser.Look) *browser.Page {
	t.Helper()
	path := filepath.Join(t.TempDir(), name+".html")
	if err := os.WriteFile(path, page, 0o644); err != nil {
		t.Fatal(err)
	}
	p := b.Open(path, look)
	t.Cleanup(p.Quiet)
	return p
}

func startBrowser(t *testing.T) *browser.Browser {
	t.Helper()
	if testing.Short() {
		t.Skip("-short: starts a browser")
	}
	return browser.Start(t)
}

var desktop = browser.Look{Width: 1280, Height: 900}

func TestLoopPageInABrowser(t *testing.T) {
	b := startBrowser(t)
	r := blocked("")
	p := openPage(t, b, "loop", written(t, WriteLoop, r, HTML, Options{}), desktop)

	if got := p.Text("h1"); got != "BLOCKED "+r.Sentence {
		t.Errorf("the page begins with %q", got)
	}
	if n := p.Count("#plot .block"); n != len(r.Blocks) {
		t.Errorf("%d bars for %d blocks", n, len(r.Blocks))
	}
	// The worst block is shown to begin with; any other when it is clicked.
	if got := p.Text("#block"); !strings.HasPrefix(got, "231 ms: JSON.stringify in list") {
		t.Errorf("at first the detail shows %q, want the worst block", got)
	}
	for i, want := range map[int]string{3: "171 ms: JSON.stringify in list", 5: "131 ms: JSON.stringify in (anonymous)"} {
		p.Click("#plot .block", i)
		if got := p.Text("#block"); !strings.HasPrefix(got, want) {
			t.Errorf("block %d shows %q, want %q", i, got, want)
		}
	}
	p.Click("#plot .block", 2)
	detail := p.Text("#block")
	for _, want := range []string{"Block 3 of 8", "cause json", "at 4.80 s", "9.0 ms of it garbage", "meanwhile: /products", "/app/src/shop.js:17:21", "stringify", "emit node:events:517",
		"const body = JSON.stringify({ products: catalogue });"} {
		if !strings.Contains(detail, want) {
			t.Errorf("the detail does not say %q:\n%s", want, detail)
		}
	}
	for key, want := range map[string]string{"ArrowRight": "Block 4 of 8", "Home": "Block 1 of 8", "End": "Block 8 of 8", "ArrowLeft": "Block 2 of 8"} {
		p.Click("#plot .block", 2)
		p.Key(key)
		if got := p.Text("#block"); !strings.Contains(got, want) {
			t.Errorf("after %s the detail shows %q, want %q", key, got, want)
		}
	}
	width := func() (w float64) {
		p.Eval(`document.querySelector('#plot [data-i="7"]')?.getBoundingClientRect().width ?? 0`, &w)
		return w
	}
	before := width()
	p.Drag("#plot svg", 0.8, 0.99)
	if w := width(); w < 2*before {
		t.Errorf("a block is %v pixels wide after a drag over the end, %v before", w, before)
	}
	p.Click("#zoom-all", 0)
	if w := width(); w != before {
		t.Errorf("a block is %v pixels wide after looking at the whole, %v before", w, before)
	}
}

func TestFlameGraphInABrowser(t *testing.T) {
	b := startBrowser(t)
	p := openPage(t, b, "loop", written(t, WriteLoop, blocked(""), HTML, Options{}), desktop)
	boxes := func() (labels []string) {
		p.Eval(`[...document.querySelectorAll('#flame .box')].map((e) => e.textContent)`, &labels)
		slices.Sort(labels)
		return labels
	}
	whole := []string{"all, 2.00 s", "garbage collection", "list  shop.js:16", "log  shop.js:16", "parserOnIncoming  node:_http_server:1120", "stringify  shop.js:16"}
	same := func(when string, want []string) {
		t.Helper()
		if got := boxes(); !slices.Equal(got, want) {
			t.Errorf("%s: the graph has %q, want %q", when, got, want)
		}
	}
	box := func(k int) string { return fmt.Sprintf(`#flame [data-k="%d"]`, k) }
	same("at first", whole)
	p.Click(box(1), 0)
	same("zoomed to list", []string{"all, 2.00 s", "list  shop.js:16", "parserOnIncoming  node:_http_server:1120", "stringify  shop.js:16"})
	if got, want := p.Text("#frame"), "list /app/src/shop.js:16:17: 1.70 s in all, 85 % of the time; 40 ms in itself"; got != want {
		t.Errorf("list is %q, want %q", got, want)
	}
	p.Key("Escape")
	same("after Escape", whole)
	p.Key("ArrowDown")
	p.Key("ArrowDown")
	p.Key("ArrowRight")
	if got := p.Text("#frame"); !strings.HasPrefix(got, "log ") {
		t.Errorf("below, below and to the right is %q, want log", got)
	}
	p.Key("Enter")
	same("zoomed to log", []string{"all, 2.00 s", "log  shop.js:16", "parserOnIncoming  node:_http_server:1120"})
	p.Click("#flame-out", 0)
	p.Click("#find", 0)
	p.Type("SHOP.js")
	if got, want := p.Text("#frame"), "94 % of the time is in functions that match."; got != want {
		t.Errorf("found %q, want %q", got, want)
	}
	if n := p.Count("#flame .hit"); n != 3 {
		t.Errorf("%d frames are marked, want 3", n)
	}
	p.Eval(`(() => { const s = document.querySelector('#thread'); s.value = '1'; s.dispatchEvent(new Event('change')); })()`, nil)
	same("the worker's", []string{"all, 900 ms", "compute  shop.js:16"})
}

func TestTablesOfALoopSort(t *testing.T) {
	b := startBrowser(t)
	r := blocked("")
	p := openPage(t, b, "loop", written(t, WriteLoop, r, HTML, Options{}), desktop)
	p.Click("details.more:has(#blocks) > summary", 0)
	if n := p.Count("#blocks tbody tr"); n != len(r.Blocks) {
		t.Fatalf("%d rows for %d blocks", n, len(r.Blocks))
	}
	column := func() (cells []string) {
		p.Eval(`[...document.querySelectorAll('#blocks tbody tr')].map((e) => e.cells[1].textContent)`, &cells)
		return cells
	}
	want := []string{"231 ms", "211 ms", "191 ms", "171 ms", "151 ms", "131 ms", "111 ms", "91 ms"}
	p.Click("#blocks th button", 1)
	if got := column(); !slices.Equal(got, want) {
		t.Errorf("longest first: %q", got)
	}
	p.Click("#blocks th button", 1)
	slices.Reverse(want)
	if got := column(); !slices.Equal(got, want) {
		t.Errorf("shortest first: %q", got)
	}
}

// Every string that a heap may hold shows as text: no script of it runs, and the
// page stays as wide as it is.
func TestHostileStringsInABrowser(t *testing.T) {
	b := startBrowser(t)
	attacks := append(slices.Clone(hostileStrings), `"><img src=x onerror=alert(1)>`, `</script><script>alert(2)</script>`, `<!--<script>`, `'-alert(3)-'`,
		`javascript:alert(4)`, "=HYPERLINK(\"http://127.0.0.1/\")", strings.Repeat("<b>", 1<<20/3))
	for i, s := range attacks {
		pages := map[string][]byte{
			"loop":   written(t, WriteLoop, blocked(s), HTML, Options{}),
			"report": as(t, hostile(s), HTML, Options{}),
		}
		for name, page := range pages {
			if len(page) > 4<<20 {
				t.Errorf("string %d: the %s page has %d bytes", i, name, len(page))
			}
			p := openPage(t, b, fmt.Sprintf("%s-%d", name, i), page, browser.Look{Width: 400, Height: 800})
			p.Eval(`document.querySelectorAll('details').forEach((d) => { d.open = true; })`, nil)
			if wide := p.TooWide(); len(wide) > 0 {
				t.Errorf("string %d: the %s page is too wide: %q", i, name, wide)
			}
			var foreign int
			p.Eval(`document.querySelectorAll('img, b, iframe, a, script:not(body > script)').length`, &foreign)
			if foreign > 0 {
				t.Errorf("string %d: the %s page has %d elements of the heap's making", i, name, foreign)
			}
		}
	}
}

func TestScreenshots(t *testing.T) {
	dir := os.Getenv("HEAPSNAP_SHOTS")
	if dir == "" {
		t.Skip("HEAPSNAP_SHOTS names no folder for screenshots")
	}
	b := browser.Start(t)
	pages := map[string][]byte{"loop-blocked": written(t, WriteLoop, blocked(""), HTML, Options{}), "loop-healthy": written(t, WriteLoop, healthy(), HTML, Options{})}
	for name, r := range map[string]*Report{"leak": leaking(), "clean": clean(), "inconclusive": inconclusive(), "suspects": suspects(), "many": many()} {
		pages["report-"+name] = as(t, r, HTML, Options{})
	}
	given, err := filepath.Glob(filepath.Join(dir, "*.html")) // of real runs
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range given {
		page, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		pages[strings.TrimSuffix(filepath.Base(path), ".html")] = page
	}
	for name, page := range pages {
		for _, width := range []int{1280, 400} {
			for _, dark := range []bool{false, true} {
				p := openPage(t, b, name, page, browser.Look{Width: width, Height: 900, Dark: dark})
				p.Screenshot(filepath.Join(dir, fmt.Sprintf("%s-%d-%v.png", name, width, map[bool]string{true: "dark", false: "light"}[dark])))
			}
		}
	}
}

func as(t *testing.T, r *Report, f Format, o Options) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := Write(&b, r, f, o); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestReportPageInABrowser(t *testing.T) {
	b := startBrowser(t)
	p := openPage(t, b, "report", as(t, leaking(), HTML, Options{}), desktop)
	if got := p.Text("h1"); !strings.HasPrefix(got, "LEAK 2 leaks") {
		t.Errorf("the page begins with %q", got)
	}
	// The path to the holder is there when it is asked for.
	if n := p.Count(".steps li"); n != 0 {
		t.Errorf("%d steps of paths are shown at first, want none", n)
	}
	p.Click("details.path > summary", 0)
	if n := p.Count(".steps li"); n != 6 {
		t.Errorf("%d steps are shown, want 6", n)
	}
	if got, want := p.Text(".steps li.holder"), ".exports EventEmitter @6153 ← the holder"; got != want {
		t.Errorf("the holder is %q, want %q", got, want)
	}
	p.Click("details.path > summary", 0)
	if n := p.Count(".steps li"); n != 0 {
		t.Errorf("%d steps are shown after another click, want none", n)
	}
	if n := p.Count(".chart polyline"); n < 3 {
		t.Errorf("%d curves, want two of findings and some of memory", n)
	}
	classes := func() (names []string) {
		p.Eval(`[...document.querySelectorAll('#classes tbody tr')].filter((e) => e.checkVisibility()).map((e) => e.cells[0].textContent)`, &names)
		return names
	}
	same := func(when string, want ...string) {
		t.Helper()
		if got := classes(); !slices.Equal(got, want) {
			t.Errorf("%s: classes %q, want %q", when, got, want)
		}
	}
	same("at first", "(closure)", "Array", "Session", "(string)", "Map", "Promise")
	p.Click("#classes th button", 6)
	same("by size, largest first", "(closure)", "Session", "Array", "Promise", "Map", "(string)")
	p.Click("#classes th button", 6)
	same("by size, smallest first", "(string)", "Map", "Promise", "Array", "Session", "(closure)")
	p.Click("#classes th button", 0)
	same("by name", "(closure)", "(string)", "Array", "Map", "Promise", "Session")
	p.Click("input[data-filter]", 0)
	p.Type("S")
	same("with an s", "(closure)", "(string)", "Promise", "Session")
	p.Type("ess")
	same("with sess", "Session")
	if got := p.Text("#classes-shown"); got != "1 of 6" {
		t.Errorf("the filter says %q", got)
	}
}

func TestReportPageLooks(t *testing.T) {
	golden(t, "leak.html", markup(as(t, leaking(), HTML, Options{Rules: []Rule{{Name: "cache", Title: "A Map only grows", Why: "Nothing is deleted.", Before: "m.set(k, v)", After: "m.delete(k)"}}})))
	golden(t, "suspects.html", markup(as(t, suspects(), HTML, Options{})))
}

func TestLoopPageLooks(t *testing.T) {
	golden(t, "loop-blocked.html", markup(written(t, WriteLoop, blocked(""), HTML, Options{Rules: []Rule{{
		Name: "json", Title: "Large data is turned into JSON at once", Why: "It is the easiest way.", Sign: "Requests wait.", Before: "JSON.stringify(all)", After: "stream(all)",
	}}})))
	golden(t, "loop-healthy.html", markup(written(t, WriteLoop, healthy(), HTML, Options{})))
}

// markup is a page without style and scripts, which are files of their own, but
// with the data that scripts read.
func markup(page []byte) []byte {
	var out []byte
	for _, line := range bytes.SplitAfter(page, []byte("\n")) {
		switch {
		case bytes.HasPrefix(line, []byte("<script>")):
			return append(out, "...\n"...)
		case bytes.Contains(line, []byte("Content-Security-Policy")):
			line = regexp.MustCompile(`sha256-.*?&#39;`).ReplaceAll(line, []byte("sha256-...&#39;"))
		case bytes.HasPrefix(line, []byte("<style>")):
			out = append(out, "<style>...</style>\n"...)
			continue
		}
		if len(out) > 0 && bytes.HasSuffix(out, []byte("<style>...</style>\n")) && !bytes.HasPrefix(line, []byte("</head>")) {
			continue // the style sheet's lines
		}
		out = append(out, line...)
	}
	return out
}

// A minute of a loop that is blocked all the time, with all threads that have a
// flame graph: nothing that a page has more of than this.
func TestLoopPageStaysSmall(t *testing.T) {
	r := blocked("")
	r.Blocks, r.GCs, r.Curve, r.Flames = nil, nil, nil, nil
	place := func(i, line int) Location {
		n := strconv.Itoa(i)
		return Location{Function: "function" + n, File: "/app/node_modules/package-" + n + "/lib/index.js", Line: line, Column: 7}
	}
	stack := func(n int) (s []Location) {
		for i := range 64 {
			s = append(s, place(i, n%(i+1)))
		}
		return s
	}
	for i := range 60_000 {
		at := float64(i)
		r.GCs = append(r.GCs, LoopGC{at, 1.5, "minor"})
		r.Curve = append(r.Curve, LoopLate{at, 51})
		if i%20 == 0 {
			r.Blocks = append(r.Blocks, LoopBlock{StartMS: at * 20, DurationMS: 20, WallMS: 20, Cause: "cpu", Function: "f", File: "/app/a.js", Line: 3, Stack: stack(i)})
		}
	}
	for thread := range 8 {
		f := LoopFlame{Thread: thread, TotalMS: 60_000}
		for i := range 3000 {
			f.Frames = append(f.Frames, LoopFrame{Parent: (i - 1) / 3, Kind: "own", TotalMS: 60_000 / float64(i+1), Location: place(i%200, i)})
		}
		r.Flames = append(r.Flames, f)
	}
	if page := written(t, WriteLoop, r, HTML, Options{}); len(page) > 3<<20 {
		t.Errorf("the page has %d bytes, want 3 MiB at most", len(page))
	}
}

// A page asks for nothing even where its policy would not stop it.
func TestPagesNameNoOtherFile(t *testing.T) {
	page := written(t, WriteLoop, blocked(""), HTML, Options{})
	for _, sign := range []string{"http:", "https:", "src=", "url(", "@import", "<link", "<iframe", "innerHTML", "eval("} {
		if i := bytes.Index(bytes.ReplaceAll(page, []byte("http://www.w3.org/2000/svg"), nil), []byte(sign)); i >= 0 {
			t.Errorf("the page has %q: %s", sign, page[max(0, i-60):i+60])
		}
	}
}
