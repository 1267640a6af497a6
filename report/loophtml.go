package report

import (
	"cmp"
	"fmt"
	"io"
	"math"
	"slices"
)

// maxHTMLBlocks bounds the blocks of a page: more are bars that nobody can tell
// apart, and the page has to stay small.
const maxHTMLBlocks = 2000

// maxHTMLMarks bounds the pauses and the points of the curve, likewise.
const maxHTMLMarks = 4000

// loopPage is what html/loop.html shows.
type loopPage struct {
	*Loop
	Rules      []Rule
	CauseRows  []causeRow
	ThreadRows []threadRow
	BlockRows  []LoopBlock
	BlocksLeft int
	order      []string // of causes: their colours
}

type causeRow struct {
	LoopCause
	Share float64
	Color int
	Fix   string
}

type threadRow struct {
	LoopThread
	Name string
}

// colors is how many colours style.css has for causes.
const colors = 7

// Color is the number of a cause's colour.
func (p *loopPage) Color(cause string) int { return max(0, slices.Index(p.order, cause)) % colors }

// colored gives a cause a colour that has none.
func (p *loopPage) colored(cause string) {
	if !slices.Contains(p.order, cause) {
		p.order = append(p.order, cause)
	}
}

func located(v any) Location {
	switch v := v.(type) {
	case LoopFinding:
		return v.location()
	case LoopBlock:
		return Location{Function: v.Function, File: v.File, Line: v.Line, Column: v.Column}
	case threadRow:
		return Location{Function: v.Function, File: v.File, Line: v.Line}
	}
	return Location{}
}

func writeLoopHTML(w io.Writer, r *Loop, o Options) error {
	p := &loopPage{Loop: r, Rules: o.Rules, order: causeOrder(r)}
	var whole float64
	for _, c := range r.Causes {
		whole += c.TotalMS
		p.colored(c.Cause)
	}
	for _, f := range r.Findings {
		p.colored(f.Rule)
	}
	for _, c := range r.Causes {
		if c.TotalMS < 0.005*whole && c.Count == 0 {
			continue
		}
		row := causeRow{LoopCause: c, Share: c.TotalMS / max(whole, 1e-9), Color: p.Color(c.Cause), Fix: findRule(o.Rules, c.Cause).Fix}
		if i := slices.IndexFunc(r.Findings, func(f LoopFinding) bool { return f.Rule == c.Cause }); i >= 0 {
			row.Fix = r.Findings[i].Fix
		}
		p.CauseRows = append(p.CauseRows, row)
	}
	for _, t := range r.Threads {
		p.ThreadRows = append(p.ThreadRows, threadRow{t, threadName(t.ID, t.Name)})
	}
	p.BlockRows = worstBlocks(r.Blocks, maxHTMLBlocks)
	p.BlocksLeft = len(r.Blocks) - len(p.BlockRows)
	title := "heapsnap loop: " + clip(string(r.Verdict), 20)
	if r.Target != "" {
		title = clip(lastName(r.Target), 60) + ": " + clip(string(r.Verdict), 20)
	}
	return writePage(w, htmlPage{Title: title, Loop: p}, loopScripts, p.data())
}

func threadName(id int, name string) string {
	switch {
	case id == 0:
		return "main"
	case name == "" || name == "WorkerThread":
		return fmt.Sprintf("worker %d", id)
	}
	return fmt.Sprintf("worker %d %s", id, clip(name, 20))
}

// loopData is what timeline.js and flame.js read. Times are milliseconds;
// places are in a list of their own, since stacks repeat them.
type loopData struct {
	Duration     float64      `json:"duration"`
	Threshold    float64      `json:"threshold"`
	ProfileStart float64      `json:"profileStart"`
	Causes       []string     `json:"causes"` // in the order of their colours
	Files        []string     `json:"files"`
	Places       []placeData  `json:"places"`
	Codes        []codeData   `json:"codes"` // lines of source, by place
	Blocks       []blockData  `json:"blocks"`
	GCs          [][3]float64 `json:"gcs"`   // start, duration, 1 if it is a major one
	Curve        [][2]float64 `json:"curve"` // end of the time, delay
	Flames       []flameData  `json:"flames"`
}

// placeData is [function, index in Files, line, column].
type placeData [4]any

type codeData struct {
	Place int    `json:"place"`
	Text  string `json:"text"`
}

type blockData struct {
	Start    float64  `json:"start"`
	Duration float64  `json:"duration"`
	Wall     float64  `json:"wall"`
	GC       float64  `json:"gc"`
	Cause    int      `json:"cause"`
	Place    int      `json:"place"`
	Detail   string   `json:"detail"`
	Requests []string `json:"requests"`
	Stack    []int    `json:"stack"`
}

type flameData struct {
	Name  string   `json:"name"`
	Total float64  `json:"total"`
	Left  int      `json:"left"`
	Kinds []string `json:"kinds"`
	// Frames are [parent, place, kind, total, self]; the parent comes first.
	Frames [][5]float64 `json:"frames"`
}

// flameNames are words for what V8's profiler calls what is no function.
var flameNames = map[string]string{"(program)": "native code without JavaScript", "(garbage collector)": "garbage collection"}

// to is a figure with no more digits than are seen.
func to(v float64, digits int) float64 {
	by := math.Pow(10, float64(digits))
	return math.Round(v*by) / by
}

func (p *loopPage) data() loopData {
	r := p.Loop
	d := loopData{Duration: to(r.DurationMS, 1), Threshold: r.ThresholdMS, ProfileStart: to(r.ProfileStartMS, 1)}
	for _, c := range p.order {
		d.Causes = append(d.Causes, clip(c, 30))
	}
	files, known := map[string]int{}, map[placeData]int{}
	place := func(l Location) int {
		file, ok := files[l.File]
		if !ok {
			file = len(d.Files)
			files[l.File] = file
			d.Files = append(d.Files, clip(l.File, htmlPath))
		}
		at := placeData{functionName(l.Function), file, l.Line, l.Column}
		i, ok := known[at]
		if !ok {
			i = len(d.Places)
			known[at] = i
			d.Places = append(d.Places, at)
		}
		return i
	}
	for i := range r.Findings {
		f := &r.Findings[i]
		for _, l := range append([]Location{f.location()}, f.Locations...) {
			if l.Code != "" {
				code, _ := clipCode(l.Code, l.Column-1, htmlCode)
				d.Codes = append(d.Codes, codeData{place(l), code})
			}
		}
	}
	for _, b := range p.BlockRows {
		row := blockData{
			Start: to(b.StartMS, 1), Duration: to(b.DurationMS, 1), Wall: to(b.WallMS, 1), GC: to(b.GCMS, 1), Cause: slices.Index(p.order, b.Cause),
			Place: place(located(b)), Detail: clip(b.Detail, htmlName), Requests: []string{}, Stack: []int{},
		}
		for _, q := range b.Requests {
			row.Requests = append(row.Requests, clip(q, 100))
		}
		for _, l := range b.Stack {
			row.Stack = append(row.Stack, place(l))
		}
		d.Blocks = append(d.Blocks, row)
	}
	gcs := slices.Clone(r.GCs)
	slices.SortStableFunc(gcs, func(a, b LoopGC) int { return cmp.Compare(b.DurationMS, a.DurationMS) })
	for _, g := range gcs[:min(len(gcs), maxHTMLMarks)] {
		row := [3]float64{to(g.StartMS, 1), to(g.DurationMS, 1), 0}
		if g.Kind == "major" {
			row[2] = 1
		}
		d.GCs = append(d.GCs, row)
	}
	slices.SortFunc(d.GCs, func(a, b [3]float64) int { return cmp.Compare(a[0], b[0]) })
	// Of too many points, the latest of each few.
	every := 1 + len(r.Curve)/maxHTMLMarks
	for i := 0; i < len(r.Curve); i += every {
		few := r.Curve[i:min(i+every, len(r.Curve))]
		row := [2]float64{to(few[len(few)-1].AtMS, 1), 0}
		for _, l := range few {
			row[1] = max(row[1], to(l.LateMS, 1))
		}
		d.Curve = append(d.Curve, row)
	}
	for _, f := range r.Flames {
		fd := flameData{Name: threadName(f.Thread, f.Name), Total: to(f.TotalMS, 2), Left: f.Left}
		for _, x := range f.Frames {
			kind := slices.Index(fd.Kinds, x.Kind)
			if kind < 0 {
				kind = len(fd.Kinds)
				fd.Kinds = append(fd.Kinds, x.Kind)
			}
			l := x.Location
			if name, is := flameNames[l.Function]; is && l.File == "" {
				l.Function = name
			}
			fd.Frames = append(fd.Frames, [5]float64{float64(x.Parent), float64(place(l)), float64(kind), to(x.TotalMS, 2), to(x.SelfMS, 2)})
		}
		d.Flames = append(d.Flames, fd)
	}
	d.Causes, d.Files, d.Places, d.Codes, d.Blocks = notNil(d.Causes), notNil(d.Files), notNil(d.Places), notNil(d.Codes), notNil(d.Blocks)
	d.GCs, d.Curve, d.Flames = notNil(d.GCs), notNil(d.Curve), notNil(d.Flames)
	return d
}
