package oom

import (
	"fmt"
	"slices"
	"strings"

	"heapsnap/memory"
)

// Kind is which death it was.
type Kind string

const (
	HeapLimit   Kind = "v8-heap-limit" // V8 gave up at the heap's limit
	WorkerLimit Kind = "worker-heap-limit"
	GroupKill   Kind = "cgroup-kill"        // the kernel, for the container's limit
	HostKill    Kind = "host-kill"          // the kernel, for the machine's memory
	Refused     Kind = "allocation-refused" // the system gave no more memory
	NativeAbort Kind = "native-abort"
	NotMemory   Kind = "not-memory" // killed, and nothing speaks for memory
	Unknown     Kind = "unknown"
)

// Death is what follows from the evidence.
type Death struct {
	Kind  Kind
	Title string
	// Cause is what had filled the memory: the name of a rule of package memory,
	// "" if that cannot be told.
	Cause    string
	Evidence []string
	Findings []memory.Finding // of package memory, on the last figures there are
	Facts    *memory.Facts    // these figures; nil if there are none
	FactsOf  string           // where they are from
	Change   []string         // what to change
	Collect  []string         // what to collect next time
}

// Exit codes as shells and Kubernetes have them: 128 and the signal's number.
const (
	exitAbort = 134 // SIGABRT
	exitKill  = 137 // SIGKILL
	exitSegv  = 139 // SIGSEGV
	exitTerm  = 143 // SIGTERM
)

// Explain says which death it was.
func Explain(e *Evidence) *Death {
	d := &Death{Kind: Unknown}
	d.Facts, d.FactsOf = e.facts()
	exit := e.exit()
	c := e.container()
	fatal := func(kind FatalKind) *Fatal {
		for i := range e.Fatal {
			if e.Fatal[i].Kind == kind {
				return &e.Fatal[i]
			}
		}
		return nil
	}
	say := func(format string, args ...any) { d.Evidence = append(d.Evidence, fmt.Sprintf(format, args...)) }
	var groupKill, hostKill *Kill
	for i := range e.Kills {
		k := &e.Kills[i]
		if k.Group && (groupKill == nil || k.Anon > groupKill.Anon) {
			groupKill = k
		} else if !k.Group && hostKill == nil {
			hostKill = k
		}
	}
	oomReport := slices.ContainsFunc(e.Reports, func(r Diagnostic) bool {
		return r.Trigger == "OOMError" || strings.Contains(r.Event, "heap out of memory")
	})
	killed := exit == exitKill || e.Signal == "SIGKILL" || c != nil && c.Signal == 9
	switch f := fatal(FatalHeapLimit); {
	case c != nil && c.Reason == "OOMKilled" || groupKill != nil || e.Group != nil && e.Group.Kills > 0 && (killed || exit < 0 && f == nil && !oomReport):
		d.Kind, d.Title = GroupKill, "the kernel killed it at the container's memory limit"
		if c != nil && c.Reason == "OOMKilled" {
			say("container %s: OOMKilled, exit code %d", c.Name, c.Exit)
		}
		if groupKill != nil {
			say("the kernel: %s", shortened(groupKill.Text))
		}
		if e.Group != nil && e.Group.Kills > 0 {
			say("the control group counts %d killed, %d times at the limit, peak %s", e.Group.Kills, e.Group.AtLimit, memory.Size(e.Group.Peak))
		}
	case (f != nil || oomReport) && e.farFromLimit():
		d.Kind, d.Title = Refused, "the system refused V8 memory, with the heap far from its limit"
		if f != nil {
			say("%s: %s", base(f.File), shortened(f.Text))
		}
		if e.LastGC != nil {
			say("the last full collection left %.0f MiB", e.LastGC.After)
			if strings.Contains(e.LastGC.Text, "external") {
				d.Cause = "buffers"
				say("V8 collected because of memory outside the heap")
			}
		}
	case f != nil || oomReport:
		d.Kind, d.Title = HeapLimit, "V8 gave up at the heap's limit"
		if f != nil {
			say("%s: %s", base(f.File), shortened(f.Text))
		}
	case fatal(FatalWorker) != nil:
		d.Kind, d.Title = WorkerLimit, "V8 gave up in a worker thread, at the limit of that worker's heap"
		say("%s: %s", base(fatal(FatalWorker).File), shortened(fatal(FatalWorker).Text))
	case hostKill != nil:
		d.Kind, d.Title = HostKill, "the kernel killed it because the machine was out of memory"
		say("the kernel: %s", shortened(hostKill.Text))
	case fatal(FatalBuffer) != nil:
		d.Kind, d.Title, d.Cause = Refused, "the system refused the memory for a Buffer", "buffers"
		say("%s: %s", base(fatal(FatalBuffer).File), shortened(fatal(FatalBuffer).Text))
	case fatal(FatalSystem) != nil:
		d.Kind, d.Title = Refused, "the system refused V8 memory below its limit"
		say("%s: %s", base(fatal(FatalSystem).File), shortened(fatal(FatalSystem).Text))
	case fatal(FatalNative) != nil || exit == exitSegv || e.Signal == "SIGSEGV":
		d.Kind, d.Title = NativeAbort, "native code ended it"
		if n := fatal(FatalNative); n != nil {
			say("%s: %s", base(n.File), shortened(n.Text))
		}
	case exit == exitAbort || e.Signal == "SIGABRT":
		d.Kind, d.Title = NativeAbort, "it aborted, and no log says why"
	case killed || fatal(FatalKilled) != nil:
		d.Kind, d.Title = NotMemory, "it was killed from outside, and nothing found speaks for memory"
		if c != nil && c.Probe != "" {
			d.Title = "Kubernetes killed it: " + shortened(c.Probe)
		}
		if e.Group != nil && e.Group.Kills == 0 {
			say("the control group counts no process killed for memory, peak %s", memory.Size(e.Group.Peak))
		}
	case exit == exitTerm || e.Signal == "SIGTERM" || exit == 0:
		d.Kind, d.Title = NotMemory, "it was asked to end, or ended by itself"
	}
	if exit >= 0 {
		say("exit code %d", exit)
	}
	if e.LastGC != nil && (d.Kind == HeapLimit || d.Kind == WorkerLimit) {
		say("the last full collection left %.0f of %.0f MiB", e.LastGC.After, e.LastGC.Before)
	}
	d.fill(e, groupKill)
	d.advise(e)
	return d
}

// farFromLimit reports whether V8 died with less than half of what it may have:
// then it is not its limit that it met.
func (e *Evidence) farFromLimit() bool {
	limit, _ := e.heapLimit(0)
	if n := len(e.Reports); n > 0 {
		i := e.Reports[n-1].Isolate
		if limit == 0 {
			limit = i.OldLimit(e.Options, memory.Facts{NodeVersion: e.Node}.Major())
		}
		if i.Used > 0 && limit > 0 {
			return i.Used < limit/2
		}
	}
	if limit == 0 {
		// No process has a smaller one by default.
		limit = 256 << 20
		if e.Seen != nil && len(e.Seen.Isolates) > 0 {
			limit = e.Seen.Isolates[0].OldLimit(e.Options, memory.Facts{NodeVersion: e.Node}.Major())
		} else {
			limit /= 8 // an option that is not known may have lowered it
		}
	}
	return e.LastGC != nil && e.LastGC.After*(1<<20) < float64(limit)/2
}

func shortened(s string) string {
	r := []rune(s)
	if len(r) > 240 {
		return string(r[:240]) + "…"
	}
	return s
}

func base(path string) string { return path[strings.LastIndexAny(path, `/\`)+1:] }

// exit is the exit code, -1 if none is known.
func (e *Evidence) exit() int {
	switch {
	case e.Exit != nil:
		return *e.Exit
	case e.container() != nil && e.container().Reason != "":
		return e.container().Exit
	}
	return -1
}

// container is the one that died: of several, the one that was killed for memory.
func (e *Evidence) container() *Container {
	var found *Container
	for i := range e.Containers {
		c := &e.Containers[i]
		if found == nil || c.Reason == "OOMKilled" && found.Reason != "OOMKilled" || found.Exit == 0 && c.Exit != 0 && found.Reason != "OOMKilled" {
			found = c
		}
	}
	return found
}

// facts are the last figures of the process, put together of what there is.
func (e *Evidence) facts() (*memory.Facts, string) {
	f := memory.Facts{NodeVersion: e.Node}
	from := ""
	f.Process.Options = e.Options
	switch {
	case e.Seen != nil:
		f.Isolates, f.PID, from = e.Seen.Isolates, e.Seen.PID, base(e.Seen.From)
		f.Process.RSS, f.Group = e.Seen.RSS, e.Seen.Group
	case len(e.Reports) > 0:
		r := e.Reports[len(e.Reports)-1]
		f.Isolates, f.PID, from = []memory.Isolate{r.Isolate}, r.PID, base(r.File)
		f.Process.RSS, f.Process.Peak = r.RSS, r.MaxRSS
		// The old spaces' limit was raised for each snapshot near it.
		if f.Process.Options.OldSpace > 0 {
			f.Isolates[0].Given = f.Process.Options.OldSpace
		}
		if f.Process.RSS == 0 {
			f.Process.RSS = r.MaxRSS
		}
	}
	if p := e.Process; p != nil {
		o := f.Process.Options
		f.Process, from = *p, strings.TrimPrefix(from+" and files of /proc", " and ")
		f.Process.Options = o
	}
	for _, k := range e.Kills {
		// What was seen before is of one moment; the kernel's figures are of a later one.
		if e.Seen == nil && (k.PID == f.PID || f.PID == 0 || len(e.Kills) == 1) && k.Anon > 0 && f.Process.RSS <= k.Anon+k.File {
			f.Process.RSS, f.Process.Anon, f.Process.File, f.Process.Shared = k.Anon+k.File+k.Shared, k.Anon, k.File, k.Shared
			from = strings.TrimPrefix(from+" and the kernel's message", " and ")
		}
	}
	if g := e.Group; g != nil {
		seen := f.Group
		f.Group = *g
		if f.Group.Limit == 0 {
			f.Group.Limit = seen.Limit
		}
		// What was used at the end is the peak; afterwards the group is empty.
		f.Group.Current = max(g.Current, g.Peak, seen.Current)
		f.Group.Cache = 0
	}
	if c := e.container(); c != nil && f.Group.Limit == 0 && c.Limit > 0 {
		f.Group.Limit = c.Limit
		f.Group.Current = max(f.Group.Current, f.Process.RSS-min(f.Process.RSS, f.Process.File))
		if c.Reason == "OOMKilled" {
			f.Group.Current = c.Limit
		}
		f.Group.Version = max(f.Group.Version, 2)
	}
	if f.Process.RSS > 0 && f.Process.Anon == 0 {
		// Code and libraries of Node.js: 34 to 46 MiB were seen (Node 18 to 26).
		f.Process.File = min(f.Process.RSS, 36<<20)
		f.Process.Anon = f.Process.RSS - f.Process.File
	}
	for i := range f.Isolates {
		if f.Isolates[i].Physical == 0 {
			f.Isolates[i].Physical = f.Isolates[i].Total
		}
	}
	if len(f.Isolates) == 0 && f.Process.RSS == 0 && f.Group.Limit == 0 {
		return nil, ""
	}
	return &f, from
}

// fill says what had filled the memory.
func (d *Death) fill(e *Evidence, kill *Kill) {
	f := d.Facts
	if f == nil {
		return
	}
	if d.Kind == HeapLimit || d.Kind == WorkerLimit || len(f.Isolates) > 0 {
		d.Findings = memory.Diagnose(*f)
	}
	// What a snapshot near the limit took is not given back: it is not what filled
	// the memory before.
	if len(e.Snapshots) > 0 || e.Options.NearHeapLimit > 0 {
		n := len(d.Findings)
		d.Findings = slices.DeleteFunc(d.Findings, func(x memory.Finding) bool {
			return x.Rule.Name == "fragmentation" || x.Rule.Name == "native"
		})
		if len(d.Findings) < n {
			d.Evidence = append(d.Evidence, "what is unexplained of the resident memory is mostly what the snapshots took")
		}
	}
	// Ids are numbered anew in a container; sizes are not.
	if d.Kind == GroupKill && kill != nil && e.Seen != nil && kill.PID != f.PID && kill.Anon > e.Seen.RSS*13/10+64<<20 {
		d.Cause = "other-process"
		d.Evidence = append(d.Evidence, fmt.Sprintf("the process that was killed is %s, %d, with %s; the one that was seen before had %s", kill.Name, kill.PID,
			memory.Size(kill.Anon), memory.Size(e.Seen.RSS)))
	}
	for _, x := range d.Findings {
		if d.Cause == "" && x.Severity == memory.Trouble {
			d.Cause = x.Rule.Name
		}
	}
	switch d.Kind {
	case HeapLimit:
		if d.Cause != "limit-below-container" {
			d.Cause = "js-heap"
		}
	case WorkerLimit:
		d.Cause = "worker"
	case GroupKill:
		// The limits alone can tell, too: no figure of the heap is needed for that.
		if d.Cause == "" && f.Group.Limit > 0 {
			if limit, why := e.heapLimit(f.Group.Version); limit > f.Group.Limit {
				d.Cause = "limit-above-container"
				d.Evidence = append(d.Evidence, fmt.Sprintf("%s: the heap may grow to %s in a container of %s", why, memory.Size(limit), memory.Size(f.Group.Limit)))
			}
		}
	}
}

// heapLimit is the old spaces' limit as far as options and the Node line tell.
func (e *Evidence) heapLimit(groupVersion int) (limit uint64, why string) {
	switch o := e.Options; {
	case o.OldSpaceShare > 0:
		return 0, ""
	case o.OldSpace > 0:
		return o.OldSpace, fmt.Sprintf("--max-old-space-size=%d", o.OldSpace>>20)
	case o.HeapSize > 0:
		return o.HeapSize, fmt.Sprintf("--max-heap-size=%d", o.HeapSize>>20)
	}
	major := memory.Facts{NodeVersion: e.Node}.Major()
	if major > 0 && !memory.KnowsContainer(major, groupVersion) {
		// 2 GiB on machines below 15 GiB, 4 above (seen with Node 18).
		return 2 << 30, fmt.Sprintf("Node %d goes by the machine's memory", major)
	}
	return 0, ""
}

// advise says what to change, and what to collect next time.
func (d *Death) advise(e *Evidence) {
	for _, x := range d.Findings {
		if x.Severity == memory.Trouble && x.Fix != "" && len(d.Change) < 3 {
			d.Change = append(d.Change, x.Fix)
		}
	}
	major := memory.Facts{NodeVersion: e.Node}.Major()
	change := func(s string) { d.Change = append(d.Change, s) }
	collect := func(s string) { d.Collect = append(d.Collect, s) }
	limit := uint64(0)
	outside := uint64(0)
	if d.Facts != nil {
		limit = d.Facts.Group.Limit
		if len(d.Facts.Isolates) > 0 {
			outside = d.Facts.Outside()
		}
	}
	switch d.Kind {
	case HeapLimit:
		if len(d.Change) == 0 {
			change("Find what the heap keeps: the suspects of a snapshot, or heapsnap check while it runs. A larger --max-old-space-size only delays the death of a leak.")
		}
		if len(e.Snapshots) == 0 {
			collect("Start it with --heapsnapshot-near-heap-limit=1 --diagnostic-dir=DIR, DIR on a volume that outlives the container; or arm a running one: heapsnap watch --near-heap-limit 1.")
		}
		if len(e.Reports) == 0 {
			collect("Add --report-on-fatalerror --report-directory=DIR: the report has the heap's figures.")
		}
	case WorkerLimit:
		if len(d.Change) == 0 {
			change("Give the worker what it needs by resourceLimits: { maxOldGenerationSizeMb: N }, or find what it keeps: heapsnap check --worker.")
		}
		collect("Watch it: heapsnap watch sees every worker's heap; heapsnap capture --worker takes its snapshot.")
	case GroupKill:
		if d.Cause == "limit-above-container" && len(d.Findings) == 0 {
			if flags, ok := memory.FlagsFor(limit, outside, major); ok {
				change(fmt.Sprintf("Start it with NODE_OPTIONS=\"%s\": V8 then collects before the kernel kills, and says so in the log if that is not enough.", flags))
			}
		}
		if d.Cause == "" {
			change("What filled the memory cannot be told from these files.")
		}
		if e.Seen == nil {
			collect("Run heapsnap watch --format ndjson beside it: its last line has the heap, Buffers and RSS just before the kill, which leaves nothing else.")
		}
		if e.Group == nil {
			collect("Keep memory.events, memory.peak and memory.stat of the container's cgroup (in a sidecar, or by the node's monitoring).")
		}
		if len(e.Snapshots) == 0 {
			collect("Capture before, while it still fits: heapsnap watch --when 'container>70%' takes one snapshot.")
		}
	case HostKill:
		change("The machine ran out: give the process a container limit, so that it is the one to be limited, and see what else ran there.")
		collect("The whole of the kernel's message: it lists all processes with their memory.")
	case Refused:
		change("Something limits the address space or the mappings (ulimit -v, vm.max_map_count, vm.overcommit_memory), or the machine is full: compare them with what the process has.")
		collect("ulimit -a, and /proc/PID/limits, status and smaps_rollup while it runs.")
	case NativeAbort:
		change("Look at native modules and at the stack in the log; a debugger on the core file shows which library it was.")
		collect("A core file (ulimit -c unlimited), and --report-on-fatalerror --report-on-signal.")
	case NotMemory:
		change("Look at who sends the signal: a liveness probe that fails while the event loop is blocked (heapsnap loop), a deployment, or a person.")
		collect("kubectl describe pod, or kubectl get events, soon after: events are kept for an hour.")
	case Unknown:
		collect("The exit code (--exit), the last lines of its log, kubectl get pod NAME -o json, and memory.events of its control group.")
	}
	for _, s := range e.Snapshots {
		if !s.Whole {
			collect(fmt.Sprintf("%s is cut short: the container's limit left no room to write it. Capture at a lower heap.", base(s.Path)))
			break
		}
	}
}
