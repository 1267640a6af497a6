package report

import (
	"fmt"
	"io"
	"strings"
)

// stackLines is how much of a stack is shown: the way from what was called to
// the program's own function is rarely longer.
const stackLines = 8

func writeLoopText(w io.Writer, r *Loop, o Options) error {
	p := newPage(o)
	p.loopVerdict(r)
	for i := range r.Findings {
		if i < fullFindings || o.Verbose {
			p.loopFinding(i+1, &r.Findings[i])
		}
	}
	if n := len(r.Findings) - fullFindings; n > 0 && !o.Verbose {
		p.heading(0, "Further findings")
		for i, f := range r.Findings[fullFindings:] {
			p.line(0, plain, clipEnd(fmt.Sprintf("%d. %s  %s  %s", i+1+fullFindings, f.Title, FormatMS(f.TotalMS), f.location().position()), p.width))
		}
	}
	p.loopFigures(r)
	p.loopCauses(r)
	p.loopBlocks(r)
	p.loopThreads(r)
	p.warnings(r.Warnings)
	if len(r.Findings) > 0 {
		p.line(0, plain, "")
		p.prose(0, "", dim, "More on the first finding: heapsnap explain "+clip(r.Findings[0].Rule, 30))
	}
	_, err := p.WriteTo(w)
	return err
}

func (p *page) loopVerdict(r *Loop) {
	s := bold
	switch r.Verdict {
	case Blocked:
		s = red
	case Healthy:
		s = green
	}
	p.judged(r.Verdict, s, r.Sentence)
	p.about(append(aboutProcess(0, r.Target, 0, r.NodeVersion), FormatMS(r.ProfiledMS)+" of profile"))
}

func (p *page) loopFinding(number int, f *LoopFinding) {
	p.line(0, plain, "")
	p.prose(0, fmt.Sprintf("%d. ", number), bold, clip(f.Title, maxProse-40)+" ["+clip(f.Rule, 30)+"]")
	const in = 3
	if f.File == "" {
		p.prose(in, "", dim, "No source line is known: start from the stack.")
	} else {
		p.place(in, f.location(), red)
	}
	for i, l := range f.Locations {
		if i == locationMax && !p.verbose {
			break
		}
		p.place(in, l, plain)
	}
	p.prose(in, "", plain, fmt.Sprintf("%s in all, %s at worst", FormatMS(f.TotalMS), FormatMS(f.WorstMS)))
	p.section(in, "Evidence", f.Evidence)
	if len(f.Stack) > 1 {
		p.heading(in, "Heaviest stack, innermost first")
		p.loopStack(in+2, f.Stack)
	}
	if f.Fix != "" {
		p.section(in, "What to do", []string{f.Fix})
	}
}

// loopStack shows how the time is reached: of the calls inside one package only
// the innermost and the one that was called, for recursion fills screens.
func (p *page) loopStack(in int, stack []Location) {
	lines := 0
	for i := 0; i < len(stack); i++ {
		if lines >= stackLines && !p.verbose {
			p.line(in, dim, "and "+plural(len(stack)-i, "more", "more"))
			return
		}
		s := stack[i]
		name := s.Function
		if name == "" {
			name = "(anonymous)"
		}
		text := clip(name, 40)
		if s.File != "" {
			text += "  " + shortFile(s).position()
		}
		p.line(in, plain, clip(text, p.width-in))
		lines++
		last := i
		for last+1 < len(stack) && stack[last+1].Package == s.Package {
			last++
		}
		if between := last - i - 1; s.Package != "" && between > 1 && !p.verbose {
			p.line(in, dim, clip(fmt.Sprintf("  %s in %s", plural(between, "call", "calls"), s.Package), p.width-in))
			lines++
			i = last - 1
		}
	}
}

// shortFile is a location as people name it: a file of a package from the
// package's name on.
func shortFile(l Location) Location {
	if i := strings.LastIndex(l.File, "/node_modules/"); i >= 0 {
		l.File = l.File[i+len("/node_modules/"):]
	}
	return l
}

func (p *page) loopFigures(r *Loop) {
	p.heading(0, "The loop")
	delay := "delay, measured without a profiler"
	if !r.Delay.Measured {
		delay = "delay, computed from the profile"
	}
	late := fmt.Sprintf("p50 %s, p90 %s, p99 %s, max %s", FormatMS(r.Delay.P50), FormatMS(r.Delay.P90), FormatMS(r.Delay.P99), FormatMS(r.Delay.Max))
	p.prose(2, "", plain, delay+": "+late)
	p.prose(2, "", plain, fmt.Sprintf("utilization %.0f %%, garbage collection %.0f %% of the time", 100*r.Utilization, 100*r.GCShare))
}

func (p *page) loopCauses(r *Loop) {
	if len(r.Causes) < 2 {
		return
	}
	var whole float64
	for _, c := range r.Causes {
		whole += c.TotalMS
	}
	p.heading(0, "What the blocks were spent on")
	rows := []row{{dim, []string{"cause", "time", "share", "first in"}}}
	for _, c := range r.Causes {
		if c.TotalMS < 0.01*whole {
			continue
		}
		rows = append(rows, row{plain, []string{clip(c.Cause, 30), FormatMS(c.TotalMS), fmt.Sprintf("%.0f %%", 100*c.TotalMS/whole), plural(c.Count, "block", "blocks")}})
	}
	p.table(2, rows)
}

func (p *page) loopBlocks(r *Loop) {
	if len(r.Blocks) == 0 {
		return
	}
	const few = 5
	shown := worstBlocks(r.Blocks, few)
	if p.verbose {
		shown = r.Blocks
	}
	heading := "The longest blocks"
	if len(shown) == len(r.Blocks) {
		heading = "All blocks"
	}
	p.heading(0, fmt.Sprintf("%s, of %s or more", heading, FormatMS(r.ThresholdMS)))
	rows := []row{{dim, []string{"where", "cause", "at", "lasted"}}}
	for _, b := range shown {
		where := b.Function
		if b.File != "" {
			where += " " + Location{File: lastName(b.File), Line: b.Line}.position()
		}
		rows = append(rows, row{plain, []string{clip(where, 60), clip(b.Cause, 20), FormatMS(b.StartMS), FormatMS(b.DurationMS)}})
	}
	p.table(2, rows)
	if n := len(r.Blocks) - len(shown); n > 0 {
		p.line(2, dim, "and "+plural(n, "more", "more"))
	}
}

func lastName(path string) string {
	return path[strings.LastIndexAny(path, `/\`)+1:]
}

// worstBlocks returns the longest blocks in order of time.
func worstBlocks(all []LoopBlock, n int) []LoopBlock {
	if len(all) <= n {
		return all
	}
	least := make([]float64, 0, len(all))
	for _, b := range all {
		least = append(least, b.DurationMS)
	}
	limit := nthLargest(least, n)
	var out []LoopBlock
	for _, b := range all {
		if b.DurationMS >= limit && len(out) < n {
			out = append(out, b)
		}
	}
	return out
}

func (p *page) loopThreads(r *Loop) {
	if len(r.Threads) < 2 {
		return
	}
	p.heading(0, "Threads")
	shown := func(cells ...string) []string {
		if p.narrow() {
			return []string{cells[0], cells[1], cells[4]}
		}
		return cells
	}
	rows := []row{{dim, shown("thread", "busy", "delay p99", "gc", "blocks")}}
	for _, t := range r.Threads {
		name := threadName(t.ID, t.Name)
		if t.Function != "" {
			name += ": " + clip(t.Function, 30)
		}
		rows = append(rows, row{plain, shown(name, fmt.Sprintf("%.0f %%", 100*t.Utilization), FormatMS(t.Delay.P99),
			fmt.Sprintf("%.0f %%", 100*t.GCShare), FormatCount(t.Blocks))})
	}
	p.table(2, rows)
	for _, t := range r.Threads {
		if t.ID != 0 && t.Blocks > 0 {
			p.prose(2, "", plain, fmt.Sprintf("What blocks worker %d: record it alone, with --worker %d.", t.ID, t.ID))
			return // one is enough to say how
		}
	}
}
