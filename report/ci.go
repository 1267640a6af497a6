package report

import (
	"fmt"
	"io"
	"net/url"
	"path"
	"strings"
)

// The formats of CI systems say the same of a leak and of a loop, so both are
// turned into an outcome first: what failed, where, why, and what to do.

// outcome is a Report or a Loop for a CI system.
type outcome struct {
	Command  string // heapsnap check
	Version  string
	Target   string
	Word     string // the verdict
	Sentence string
	About    string
	Passed   bool
	Unsure   bool // neither passed nor failed
	Unit     string
	Issues   []issue
	Warnings []string
}

// issue is a finding.
type issue struct {
	Rule        string
	Title       string
	Failing     bool // a leak or a block, and not something to look at
	Size        string
	Location    *Location
	Related     []Location
	Evidence    []string
	Held        []string // by whom
	Path        []string // from the root down, or the stack from the innermost call up
	PathTitle   string
	Fix         string
	Fingerprint string
}

// maxPathLines is the steps of a path in a CI format.
const maxPathLines = 24

func reportOutcome(r *Report) outcome {
	o := outcome{Command: "heapsnap " + clip(r.Command, 20), Version: clip(r.Version, 40), Target: r.Target, Word: verdictWord(r), Sentence: r.Sentence,
		Passed: r.Verdict == Clean, Unsure: r.Verdict == Inconclusive, Warnings: r.Warnings}
	if len(r.Captures) > 0 {
		o.About = captureLine(r)
	}
	for i := range r.Findings {
		f := &r.Findings[i]
		s := issue{
			Rule: f.Rule, Title: f.Title, Failing: f.Verdict == Leak, Location: f.Location, Related: f.Locations, Evidence: f.Evidence, Fix: f.Fix, Fingerprint: f.Fingerprint,
			Size: fmt.Sprintf("%s, %s", plural(f.Survivors.Count, "object", "objects"), FormatBytes(f.Survivors.Bytes)), PathTitle: "Why it cannot be freed",
		}
		if f.Thread != "" {
			s.Evidence = append([]string{"in " + f.Thread}, s.Evidence...)
		}
		holders := f.Holders
		if len(holders) == 0 {
			holders = []Holder{f.Holder}
		}
		for _, h := range holders[:min(len(holders), fullFindings)] {
			s.Held = append(s.Held, h.words())
		}
		for k, step := range f.Path {
			if skipped := len(f.Path) - maxPathLines; skipped > 0 && k >= maxPathLines/2 && k < maxPathLines/2+skipped {
				if k == maxPathLines/2 {
					s.Path = append(s.Path, "… "+plural(skipped, "more step", "more steps"))
				}
				continue
			}
			line := clip(step.Node, 80)
			if step.Edge != "" {
				line = clip(step.Edge, 60) + " → " + line
			}
			if f.Holder.ID != 0 && step.ID == f.Holder.ID {
				line += "  ← the holder"
			}
			s.Path = append(s.Path, line)
		}
		o.Issues = append(o.Issues, s)
	}
	for _, b := range r.Budgets {
		if b.Exceeded {
			s := issue{Rule: "budget", Title: b.Sentence, Failing: true, Fingerprint: "budget:" + b.Name}
			if l := r.Loop; l != nil && b.Unit == "ms" && b.Value == l.LongestMS {
				s.Location = l.Location
			}
			o.Issues = append(o.Issues, s)
		}
	}
	return o
}

func loopOutcome(r *Loop) outcome {
	o := outcome{Command: "heapsnap loop", Version: clip(r.Version, 40), Target: r.Target, Word: strings.ToUpper(clip(string(r.Verdict), 20)), Sentence: r.Sentence,
		Passed: r.Verdict == Healthy, Unsure: r.Verdict == Inconclusive, Warnings: r.Warnings}
	about := []string{fmt.Sprintf("delay p50 %s, p99 %s, max %s", FormatMS(r.Delay.P50), FormatMS(r.Delay.P99), FormatMS(r.Delay.Max)),
		fmt.Sprintf("loop busy %.0f %%, garbage collection %.0f %%", 100*r.Utilization, 100*r.GCShare)}
	if r.Target != "" {
		about = append([]string{clip(r.Target, maxPath/4)}, about...)
	}
	if r.NodeVersion != "" {
		about = append(about, "Node "+clip(r.NodeVersion, 20))
	}
	o.About = strings.Join(about, ", ")
	for i := range r.Findings {
		f := &r.Findings[i]
		s := issue{
			Rule: f.Rule, Title: f.Title, Failing: r.Verdict == Blocked, Related: f.Locations, Evidence: f.Evidence, Fix: f.Fix, Fingerprint: f.Fingerprint,
			Size: fmt.Sprintf("%s in all, %s at worst", FormatMS(f.TotalMS), FormatMS(f.WorstMS)), PathTitle: "Stack, innermost call first",
		}
		if f.File != "" {
			l := f.location()
			s.Location = &l
		}
		for _, l := range f.Stack[:min(len(f.Stack), maxPathLines)] {
			line := functionName(l.Function)
			if l.File != "" {
				line += "  " + l.position()
			}
			s.Path = append(s.Path, line)
		}
		o.Issues = append(o.Issues, s)
	}
	return o
}

// place is where an issue is, in words.
func (s *issue) place(root string) string {
	if s.Location == nil {
		return ""
	}
	l := *s.Location
	if file, ok := under(root, l.File); ok {
		l.File = file
	}
	return l.position()
}

// under returns a file's path from root on, with slashes; false if it is not
// below root. A path that is relative is taken for one from root.
func under(root, file string) (string, bool) {
	file = strings.ReplaceAll(file, `\`, "/")
	root = strings.TrimSuffix(strings.ReplaceAll(root, `\`, "/"), "/")
	absolute := strings.HasPrefix(file, "/") || len(file) > 2 && file[1] == ':' && file[2] == '/'
	switch {
	case file == "" || strings.Contains(file, "://") || strings.HasPrefix(file, "node:"):
		return "", false
	case !absolute:
		file = path.Clean(file)
	case root != "" && strings.HasPrefix(file, root+"/"):
		file = path.Clean(file[len(root)+1:])
	default:
		return "", false
	}
	return file, file != ".." && !strings.HasPrefix(file, "../")
}

// uri is a path as a URI reference.
func uri(file string) string { return (&url.URL{Path: clip(file, maxPath)}).String() }

func ciReport(write func(io.Writer, outcome, Options) error) func(io.Writer, *Report, Options) error {
	return func(w io.Writer, r *Report, o Options) error { return write(w, reportOutcome(r), o) }
}

func ciLoop(write func(io.Writer, outcome, Options) error) func(io.Writer, *Loop, Options) error {
	return func(w io.Writer, r *Loop, o Options) error { return write(w, loopOutcome(r), o) }
}
