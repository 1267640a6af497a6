package oom

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"heapsnap/memory"
)

// Evidence is what was found. Its zero value is nothing.
type Evidence struct {
	Files      []File
	Exit       *int   // code, as the shell has it: 128 and the signal for one that was killed
	Signal     string // such as SIGKILL
	Fatal      []Fatal
	LastGC     *GC
	Reports    []Diagnostic // oldest first
	Kills      []Kill
	Group      *memory.Group
	Containers []Container
	Snapshots  []Snapshot // in order of name, which is that of time
	Process    *memory.Process
	Seen       *Seen // what heapsnap saw last
	Options    memory.Options
	Node       string // version
	Warnings   []string
}

// File is a file and what it was taken for.
type File struct{ Path, Kind, Note string }

// Fatal is a line of a log that says why a process ended.
type Fatal struct {
	Kind FatalKind
	Text string
	File string
}

// FatalKind is what such a line means.
type FatalKind string

const (
	FatalHeapLimit FatalKind = "heap-limit"     // V8 gave up at its limit
	FatalWorker    FatalKind = "worker-limit"   // V8 gave up in a worker thread
	FatalBuffer    FatalKind = "buffer-refused" // the system gave no memory for a Buffer
	FatalNative    FatalKind = "native"         // native code ended the process
	FatalSystem    FatalKind = "out-of-address" // the system gave V8 itself no memory
	FatalKilled    FatalKind = "killed"         // a shell saw it killed
)

// GC is a line of --trace-gc, or of the last few that V8 shows. Sizes in MiB.
type GC struct {
	Before, After float64
	Text          string
}

// Diagnostic is a diagnostic report of Node.js.
type Diagnostic struct {
	File, Event, Trigger, Node string
	PID, ThreadID              int
	Isolate                    memory.Isolate
	RSS, MaxRSS                uint64
	Constrained                uint64 // 0: no limit was known to it
	Options                    memory.Options
}

// Kill is a process that the kernel killed for memory.
type Kill struct {
	PID                int
	Name               string
	Anon, File, Shared uint64
	Group              bool // for a control group's limit, and not for the machine's memory
	Text               string
}

// Container is what Kubernetes or Docker say of one.
type Container struct {
	Name     string
	Reason   string // OOMKilled, Error, Completed
	Exit     int
	Signal   int
	Limit    uint64
	Restarts int
	Options  memory.Options
	Probe    string // that it was killed for, if an event says so
}

// Snapshot is a heap snapshot.
type Snapshot struct {
	Path  string
	Bytes int64
	Whole bool // it ends as one does
}

// Seen is the last that heapsnap watch or doctor saw.
type Seen struct {
	From     string // file
	RSS      uint64
	Isolates []memory.Isolate
	Group    memory.Group
	PID      int
}

const (
	// maxText is how much of a log's end is read: that is where a death stands.
	maxText = 32 << 20
	// maxFiles bounds a folder.
	maxFiles = 5000
)

// Collect reads files, and all files of folders, one level deep.
func Collect(paths []string) (*Evidence, error) {
	e := &Evidence{}
	saved := map[string]string{} // of control groups and /proc, by name
	var all []string
	for _, p := range paths {
		info, err := os.Stat(p)
		if err != nil {
			return nil, err
		}
		if !info.IsDir() {
			all = append(all, p)
			continue
		}
		err = filepath.WalkDir(p, func(name string, entry fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return err
			case len(all) > maxFiles:
				return fmt.Errorf("%s has more than %d files: name those of one death", p, maxFiles)
			case entry.IsDir() && strings.Count(strings.TrimPrefix(name, p), string(filepath.Separator)) > 1:
				return fs.SkipDir
			case entry.Type().IsRegular():
				all = append(all, name)
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	slices.Sort(all)
	for _, name := range all {
		if err := e.take(name, saved); err != nil {
			e.Warnings = append(e.Warnings, fmt.Sprintf("%s: %v", name, err))
		}
	}
	if g, ok := memory.GroupFrom(saved); ok {
		e.Group = &g
	}
	if saved["status"] != "" || saved["smaps_rollup"] != "" || saved["smaps"] != "" {
		p := memory.ProcessFrom(saved)
		e.Process = &p
	}
	slices.SortStableFunc(e.Reports, func(a, b Diagnostic) int { return strings.Compare(a.File, b.File) })
	slices.SortFunc(e.Snapshots, func(a, b Snapshot) int { return strings.Compare(a.Path, b.Path) })
	for _, r := range e.Reports {
		e.know(r.Node, r.Options)
	}
	for _, c := range e.Containers {
		e.know("", c.Options)
	}
	return e, nil
}

func (e *Evidence) know(node string, o memory.Options) {
	if node != "" {
		e.Node = node
	}
	if len(o.Given) > 0 {
		e.Options = o
	}
}

var (
	snapshotName = regexp.MustCompile(`\.heapsnapshot(\.gz|\.zst|\.partial)*$`)
	procName     = regexp.MustCompile(`^(status|smaps|smaps_rollup|oom_score_adj)$`)
	groupName    = regexp.MustCompile(`^memory\.[a-z_.]+$`)
)

// take reads one file for what it is, by name and content.
func (e *Evidence) take(name string, saved map[string]string) error {
	base := filepath.Base(name)
	note := func(kind, format string, args ...any) {
		e.Files = append(e.Files, File{name, kind, fmt.Sprintf(format, args...)})
	}
	switch {
	case strings.HasSuffix(base, ".meta.json"):
		return nil // a snapshot's sidecar
	case snapshotName.MatchString(base):
		s, err := lookAt(name)
		if err != nil {
			return err
		}
		e.Snapshots = append(e.Snapshots, s)
		state := "complete"
		if !s.Whole {
			state = "cut short"
		}
		note("snapshot", "%s, %s", memory.Size(uint64(s.Bytes)), state)
		return nil
	}
	text, err := readEnd(name)
	if err != nil {
		return err
	}
	switch {
	case groupName.MatchString(base):
		saved[base] = text
		note("cgroup", "")
		return nil
	case procName.MatchString(base):
		saved[base] = text
		note("proc", "")
		return nil
	}
	if trimmed := strings.TrimSpace(text); strings.HasPrefix(trimmed, "{") || strings.HasPrefix(trimmed, "[") {
		if kind, said := e.takeJSON(name, trimmed); kind != "" {
			note(kind, "%s", said)
			return nil
		}
	}
	if n := e.takeLog(name, text); n > 0 {
		note("log", "%d lines say why", n)
	} else {
		note("log", "")
	}
	return nil
}

// readEnd reads a file, of a large one its end.
func readEnd(name string) (string, error) {
	f, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return "", err
	}
	from := max(0, info.Size()-maxText)
	text := make([]byte, min(info.Size(), maxText))
	n, err := f.ReadAt(text, from)
	if n == len(text) {
		err = nil
	}
	if info.Size() == 0 { // of /proc and /sys
		text, err = os.ReadFile(name)
		n = len(text)
	}
	return string(text[:n]), err
}

// lookAt tells whether a snapshot is whole: one that Node.js could not finish
// ends anywhere, one that it had only begun is empty.
func lookAt(name string) (Snapshot, error) {
	f, err := os.Open(name)
	if err != nil {
		return Snapshot{}, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return Snapshot{}, err
	}
	s := Snapshot{Path: name, Bytes: info.Size()}
	if strings.HasSuffix(name, ".gz") || strings.HasSuffix(name, ".zst") {
		s.Whole = true // reading will tell
		return s, nil
	}
	tail := make([]byte, min(16, info.Size()))
	if _, err := f.ReadAt(tail, info.Size()-int64(len(tail))); err != nil && len(tail) > 0 {
		return s, err
	}
	s.Whole = strings.HasSuffix(strings.TrimSpace(string(tail)), "]}") && !strings.HasSuffix(name, ".partial")
	return s, nil
}

// takeJSON recognizes a JSON document; kind is "" if it is none that says something.
func (e *Evidence) takeJSON(name, text string) (kind, said string) {
	var head struct {
		Header     json.RawMessage `json:"header"`
		Heap       json.RawMessage `json:"javascriptHeap"`
		Kind       string          `json:"kind"`
		Command    string          `json:"command"`
		Type       string          `json:"type"`
		Containers json.RawMessage `json:"State"`
	}
	first, _, _ := strings.Cut(text, "\n")
	switch {
	case json.Unmarshal([]byte(text), &head) == nil:
	case json.Unmarshal([]byte(first), &head) == nil && head.Type != "":
		return e.takeWatch(name, text)
	case strings.HasPrefix(text, "["):
		return e.takeDocker(text)
	default:
		return "", ""
	}
	switch {
	case head.Header != nil && head.Heap != nil:
		return e.takeReport(name, text)
	case head.Kind == "Pod" || head.Kind == "List" || head.Kind == "PodList":
		return e.takePods(text)
	case head.Command == "doctor":
		return e.takeDoctor(name, text)
	case head.Command == "watch" || head.Type != "":
		return e.takeWatch(name, text)
	case head.Containers != nil:
		return e.takeDocker("[" + text + "]")
	}
	return "", ""
}

// takeReport reads a diagnostic report (doc/api/report.md, versions 2 to 5).
func (e *Evidence) takeReport(name, text string) (kind, said string) {
	var r struct {
		Header struct {
			Event, Trigger string
			ProcessID      int      `json:"processId"`
			ThreadID       int      `json:"threadId"`
			Node           string   `json:"nodejsVersion"`
			CommandLine    []string `json:"commandLine"`
		}
		Heap struct {
			Total     uint64 `json:"totalMemory"`
			Committed uint64 `json:"totalCommittedMemory"`
			Used      uint64 `json:"usedMemory"`
			Limit     uint64 `json:"memoryLimit"`
			Malloced  uint64 `json:"mallocedMemory"`
			External  uint64 `json:"externalMemory"`
			Contexts  int    `json:"nativeContextCount"`
			Detached  int    `json:"detachedContextCount"`
			Spaces    map[string]struct {
				Size      uint64 `json:"memorySize"`
				Used      uint64 `json:"used"`
				Committed uint64 `json:"committedMemory"`
			} `json:"heapSpaces"`
		} `json:"javascriptHeap"`
		Usage struct {
			// Older lines write some of these as strings.
			RSS         json.Number `json:"rss"`
			MaxRSS      json.Number `json:"maxRss"`
			Constrained json.Number `json:"constrained_memory"`
		} `json:"resourceUsage"`
		Env map[string]any `json:"environmentVariables"`
	}
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		e.Warnings = append(e.Warnings, fmt.Sprintf("%s: diagnostic report: %v", name, err))
		return "report", "cannot be read"
	}
	size := func(n json.Number) uint64 {
		f, err := n.Float64()
		if err != nil || f < 0 || f > 1<<53 {
			return 0
		}
		return uint64(f)
	}
	env, _ := r.Env["NODE_OPTIONS"].(string)
	d := Diagnostic{
		File: name, Event: r.Header.Event, Trigger: r.Header.Trigger, Node: r.Header.Node, PID: r.Header.ProcessID, ThreadID: r.Header.ThreadID,
		RSS: size(r.Usage.RSS), MaxRSS: size(r.Usage.MaxRSS), Constrained: size(r.Usage.Constrained), Options: memory.ParseOptions(env, r.Header.CommandLine),
		Isolate: memory.Isolate{
			ThreadID: r.Header.ThreadID, Limit: r.Heap.Limit, Used: r.Heap.Used, Total: r.Heap.Total, Physical: r.Heap.Committed, External: r.Heap.External,
			Malloced: r.Heap.Malloced, Contexts: r.Heap.Contexts, Detached: r.Heap.Detached,
		},
	}
	for name, s := range r.Heap.Spaces {
		d.Isolate.Spaces = append(d.Isolate.Spaces, memory.Space{Name: name, Size: s.Size, Used: s.Used, Physical: s.Committed})
	}
	slices.SortFunc(d.Isolate.Spaces, func(a, b memory.Space) int { return cmp.Compare(a.Name, b.Name) })
	e.Reports = append(e.Reports, d)
	return "report", fmt.Sprintf("%s, %s", d.Trigger, d.Event)
}

// takePods reads `kubectl get pod -o json`.
func (e *Evidence) takePods(text string) (kind, said string) {
	type state struct {
		Terminated *struct {
			Exit    int    `json:"exitCode"`
			Signal  int    `json:"signal"`
			Reason  string `json:"reason"`
			Message string `json:"message"`
		} `json:"terminated"`
	}
	type object struct {
		Kind string `json:"kind"`
		Spec struct {
			Containers []struct {
				Name          string
				Command, Args []string
				Env           []struct{ Name, Value string }
				Resources     struct{ Limits map[string]any }
			}
		}
		Status struct {
			Statuses []struct {
				Name     string
				Restarts int   `json:"restartCount"`
				State    state `json:"state"`
				Last     state `json:"lastState"`
			} `json:"containerStatuses"`
		}
		Reason, Message string // of an event
	}
	var list struct {
		object
		Items []object
	}
	if json.Unmarshal([]byte(text), &list) != nil {
		return "", ""
	}
	objects := append([]object{list.object}, list.Items...)
	probe := ""
	for _, o := range objects {
		if o.Kind == "Event" && (o.Reason == "Killing" || o.Reason == "Unhealthy") && strings.Contains(strings.ToLower(o.Message), "probe") {
			probe = o.Message
		}
	}
	for _, o := range objects {
		for _, spec := range o.Spec.Containers {
			c := Container{Name: spec.Name, Probe: probe}
			if v, ok := spec.Resources.Limits["memory"].(string); ok {
				c.Limit = quantity(v)
			}
			env := ""
			for _, v := range spec.Env {
				if v.Name == "NODE_OPTIONS" {
					env = v.Value
				}
			}
			c.Options = memory.ParseOptions(env, append(slices.Clone(spec.Command), spec.Args...))
			for _, s := range o.Status.Statuses {
				if s.Name != spec.Name {
					continue
				}
				c.Restarts = s.Restarts
				t := s.Last.Terminated
				if t == nil {
					t = s.State.Terminated
				}
				if t != nil {
					c.Reason, c.Exit, c.Signal = t.Reason, t.Exit, t.Signal
				}
			}
			e.Containers = append(e.Containers, c)
			said = strings.TrimPrefix(said+fmt.Sprintf(", container %s: %s %d", c.Name, c.Reason, c.Exit), ", ")
		}
	}
	return "kubernetes", said
}

// quantity reads a size as Kubernetes writes it: 512Mi, 1.5Gi, 500M, 1e9.
func quantity(s string) uint64 {
	units := map[string]float64{"Ki": 1 << 10, "Mi": 1 << 20, "Gi": 1 << 30, "Ti": 1 << 40, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "": 1}
	i := len(s)
	for i > 0 && !(s[i-1] >= '0' && s[i-1] <= '9' || s[i-1] == '.') {
		i--
	}
	var v float64
	if _, err := fmt.Sscanf(s[:i], "%g", &v); err != nil || units[s[i:]] == 0 || v < 0 || v > 1<<50 {
		return 0
	}
	return uint64(v * units[s[i:]])
}

// takeDocker reads `docker inspect`.
func (e *Evidence) takeDocker(text string) (kind, said string) {
	var all []struct {
		Name  string
		State struct {
			OOMKilled bool
			ExitCode  int
		}
		HostConfig   struct{ Memory uint64 }
		RestartCount int
		Config       struct{ Env, Cmd, Entrypoint []string }
	}
	if json.Unmarshal([]byte(text), &all) != nil || len(all) == 0 || all[0].Name == "" {
		return "", ""
	}
	for _, d := range all {
		c := Container{Name: strings.TrimPrefix(d.Name, "/"), Exit: d.State.ExitCode, Limit: d.HostConfig.Memory, Restarts: d.RestartCount, Reason: "Error"}
		if d.State.OOMKilled {
			c.Reason = "OOMKilled"
		}
		env := ""
		for _, kv := range d.Config.Env {
			if v, ok := strings.CutPrefix(kv, "NODE_OPTIONS="); ok {
				env = v
			}
		}
		c.Options = memory.ParseOptions(env, append(slices.Clone(d.Config.Entrypoint), d.Config.Cmd...))
		e.Containers = append(e.Containers, c)
		said = strings.TrimPrefix(said+fmt.Sprintf(", container %s: %s %d", c.Name, c.Reason, c.Exit), ", ")
	}
	return "docker", said
}

// seenThread is a thread as watch's points and doctor's heaps have it.
type seenThread struct {
	ThreadID     int    `json:"threadId"`
	Name         string `json:"name"`
	HeapUsed     uint64 `json:"heapUsed"`
	HeapTotal    uint64 `json:"heapTotal"`
	OldLimit     uint64 `json:"oldLimit"`
	Live         uint64 `json:"live"`
	External     uint64 `json:"external"`
	ArrayBuffers uint64 `json:"arrayBuffers"`
	Malloced     uint64 `json:"malloced"`
	// Of doctor only.
	Used     uint64 `json:"used"`
	Total    uint64 `json:"total"`
	Physical uint64 `json:"physical"`
	Limit    uint64 `json:"limit"`
}

func (t seenThread) isolate() memory.Isolate {
	i := memory.Isolate{
		ThreadID: t.ThreadID, Name: t.Name, Limit: max(t.Limit, t.OldLimit), Used: max(t.Used, t.HeapUsed), Total: max(t.Total, t.HeapTotal), Physical: t.Physical,
		External: t.External, ArrayBuffers: t.ArrayBuffers, Malloced: t.Malloced, Live: t.Live, Given: t.OldLimit,
	}
	return i
}

// takeDoctor reads what heapsnap doctor said before.
func (e *Evidence) takeDoctor(name, text string) (kind, said string) {
	var d struct {
		Target struct {
			PID  int    `json:"pid"`
			Node string `json:"nodeVersion"`
		}
		Process   struct{ RSS uint64 }
		Container *struct {
			Version                              int `json:"cgroupVersion"`
			Limit, Current, Working, Peak, Kills uint64
		}
		Heaps   []seenThread
		Options []struct{ Text, From string }
	}
	if json.Unmarshal([]byte(text), &d) != nil {
		return "", ""
	}
	s := &Seen{From: name, RSS: d.Process.RSS, PID: d.Target.PID}
	for _, h := range d.Heaps {
		s.Isolates = append(s.Isolates, h.isolate())
	}
	if c := d.Container; c != nil {
		s.Group = memory.Group{Version: c.Version, Limit: c.Limit, Current: c.Current, Cache: c.Current - min(c.Current, c.Working), Peak: c.Peak}
	}
	var words []string
	for _, o := range d.Options {
		words = append(words, o.Text)
	}
	e.know(d.Target.Node, memory.ParseOptions(strings.Join(words, " "), nil))
	e.Seen = s
	return "doctor", "the process before its end"
}

// takeWatch reads the last point of what heapsnap watch wrote.
func (e *Evidence) takeWatch(name, text string) (kind, said string) {
	type point struct {
		Time      string `json:"time"`
		PID       int    `json:"pid"`
		RSS       uint64
		Working   uint64
		Container uint64 `json:"containerLimit"`
		Threads   []seenThread
	}
	var last *point
	node := ""
	report := func(targets []struct {
		Node  string `json:"nodeVersion"`
		Curve []point
	}) {
		for _, t := range targets {
			if n := len(t.Curve); n > 0 {
				last, node = &t.Curve[n-1], t.Node
			}
		}
	}
	for line := range strings.Lines(text) {
		var l struct {
			Point  *point
			Report *struct {
				Targets []struct {
					Node  string `json:"nodeVersion"`
					Curve []point
				}
			}
		}
		if json.Unmarshal([]byte(line), &l) != nil {
			continue // the last one may be cut short
		}
		if l.Point != nil && len(l.Point.Threads) > 0 {
			last = l.Point
		}
		if l.Report != nil && last == nil {
			report(l.Report.Targets)
		}
	}
	if last == nil {
		var r struct {
			Targets []struct {
				Node  string `json:"nodeVersion"`
				Curve []point
			}
		}
		if json.Unmarshal([]byte(text), &r) == nil {
			report(r.Targets)
		}
	}
	if last == nil {
		return "", ""
	}
	s := &Seen{From: name, RSS: last.RSS, PID: last.PID}
	for _, t := range last.Threads {
		s.Isolates = append(s.Isolates, t.isolate())
	}
	if last.Container > 0 {
		s.Group = memory.Group{Version: 2, Limit: last.Container, Current: last.Working}
	}
	e.know(node, memory.Options{})
	e.Seen = s
	return "watch", "last look at " + last.Time
}
