package report

import (
	"fmt"
	"io"
	"strings"
)

// Stuck is the result of `heapsnap stuck`: where a process that does not answer
// is. docs/stuck.schema.json describes its JSON.
type Stuck struct {
	Head
	Verdict  StuckVerdict `json:"verdict"`
	Title    string       `json:"title"` // the verdict in a sentence
	Target   StuckTarget  `json:"target"`
	Cause    string       `json:"cause,omitempty"` // names as in loop reports; native where no more is known
	Detail   string       `json:"detail,omitempty"`
	Location *StuckPlace  `json:"location,omitempty"` // the call that keeps the thread
	Caller   *StuckPlace  `json:"caller,omitempty"`   // the program's own call that led there, where location is in a package
	Stack    []StuckFrame `json:"stack"`              // innermost call first
	// LateMs is how late the event loop was, if it turns.
	LateMs    float64        `json:"lateMs"`
	WatchedMs float64        `json:"watchedMs"`
	Answers   int            `json:"answers"` // how often the thread said where it is
	Thread    *StuckThread   `json:"thread,omitempty"`
	Children  []StuckProcess `json:"children"` // of a thread that waits for one: youngest first
	Fix       string         `json:"fix,omitempty"`
	Warnings  []string       `json:"warnings"`
}

// StuckVerdict is stuck, recovered or running.
type StuckVerdict string

const (
	StuckNow    StuckVerdict = "stuck"
	StuckBefore StuckVerdict = "recovered" // was stuck when it was asked, and runs again
	StuckNot    StuckVerdict = "running"
)

// StuckTarget is the process, and the thread of it.
type StuckTarget struct {
	PID         int    `json:"pid,omitempty"`
	Script      string `json:"script,omitempty"`
	NodeVersion string `json:"nodeVersion,omitempty"`
	Address     string `json:"address,omitempty"` // of its inspector
	Worker      string `json:"worker,omitempty"`  // thread id and name; missing for the main thread
}

// StuckPlace is where the thread is in the program.
type StuckPlace struct {
	Function string  `json:"function"` // "" for code outside functions
	File     string  `json:"file"`
	Line     int     `json:"line"` // counted from 1, as is the column
	Column   int     `json:"column,omitempty"`
	Code     string  `json:"code,omitempty"` // the line's text
	Calls    string  `json:"calls,omitempty"`
	Share    float64 `json:"share"` // of the stacks that were seen
	// Package and Compiled are as in Location.
	Package  string `json:"package,omitempty"`
	Compiled string `json:"compiled,omitempty"`
}

// StuckFrame is one call on the stack; a builtin of V8 has no file.
type StuckFrame struct {
	Function string `json:"function"`
	File     string `json:"file,omitempty"`
	Line     int    `json:"line,omitempty"`
	Column   int    `json:"column,omitempty"`
	Package  string `json:"package,omitempty"`
	Compiled string `json:"compiled,omitempty"`
}

// StuckThread is what the kernel says of the thread.
type StuckThread struct {
	State       string   `json:"state"` // as in proc(5)
	WaitChannel string   `json:"waitChannel,omitempty"`
	Syscall     string   `json:"syscall,omitempty"`
	Path        string   `json:"path,omitempty"` // what the call is about
	AsleepMs    float64  `json:"asleepMs,omitempty"`
	CPUMs       float64  `json:"cpuMs"`              // in all
	CPUShare    *float64 `json:"cpuShare,omitempty"` // of a core while it was watched
}

// StuckProcess is a child process.
type StuckProcess struct {
	PID     int     `json:"pid"`
	Command string  `json:"command"`
	AgeMs   float64 `json:"ageMs"`
}

func (s *Stuck) normal() any {
	c := *s
	c.Schema = SchemaVersion
	c.Stack, c.Children, c.Warnings = notNil(s.Stack), notNil(s.Children), notNil(s.Warnings)
	return &c
}

// WriteStuck shows s as text or JSON. It does not change s.
func WriteStuck(w io.Writer, s *Stuck, f Format, o Options) error {
	return writeAnswer(w, s, "where a process is stuck", f, o)
}

// stuckFrames is how many calls are shown unless all are asked for.
const stuckFrames = 12

func (s *Stuck) text(p *page) {
	mark, color := "STUCK: ", red
	switch s.Verdict {
	case StuckNot:
		mark, color = "RUNNING: ", green
	case StuckBefore:
		mark = "WAS STUCK: "
	}
	p.marked(0, mark, color, bold, s.Title)
	if s.Caller != nil {
		p.line(0, plain, "")
		s.Caller.text(p, bold)
	}
	if l := s.Location; l != nil {
		p.line(0, plain, "")
		if s.Caller != nil {
			p.prose(2, "", plain, "which is in "+clip(l.Package, 60)+" now, at")
			l.text(p, plain)
		} else {
			l.text(p, bold)
		}
	}
	if s.Detail != "" {
		p.line(0, plain, "")
		p.prose(2, "", plain, s.Detail)
	}
	if len(s.Stack) > 0 {
		p.heading(0, "Stack")
		for i, f := range s.Stack {
			if i == stuckFrames && !p.verbose {
				p.line(2, dim, fmt.Sprintf("and %d more (--verbose)", len(s.Stack)-i))
				break
			}
			p.line(2, plain, stuckFrame(f, p.width-4))
		}
	}
	if s.Fix != "" {
		p.heading(0, "What to do")
		p.prose(2, "", plain, s.Fix)
	}
	for _, w := range s.Warnings {
		p.line(0, plain, "")
		p.prose(0, "warning: ", plain, w)
	}
}

func (l *StuckPlace) text(p *page, s style) {
	p.line(2, s, clip(fmt.Sprintf("%s:%d", l.File, l.Line), maxPath)+inFunction(l.Function))
	if l.Compiled != "" {
		p.prose(4, "", dim, "compiled to "+clip(l.Compiled, maxPath))
	}
	if l.Code != "" {
		code, _ := clipCode(l.Code, max(0, l.Column-1), p.width-6)
		p.line(4, plain, code)
	}
}

func inFunction(name string) string {
	if name == "" {
		return ""
	}
	return "  in " + clip(name, 60)
}

func stuckFrame(f StuckFrame, width int) string {
	name := f.Function
	if name == "" {
		name = "(anonymous)"
	}
	name = clip(name, 40)
	if f.File == "" {
		return name
	}
	place := clip(fmt.Sprintf("%s:%d", f.File, f.Line), maxPath)
	return name + strings.Repeat(" ", max(1, min(24, width)-columns(name))) + place
}
