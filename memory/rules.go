package memory

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"
)

// Rule is a way for memory to be in trouble, or to look as if it were.
type Rule struct {
	Name  string
	Title string
	Cause string
	Sign  string
}

// Severity orders findings.
type Severity int

const (
	// Note is worth knowing and nothing to worry about.
	Note Severity = iota
	// Trouble will kill the process, or has done so, if it goes on.
	Trouble
)

// Finding is a rule that applies.
type Finding struct {
	Rule     *Rule
	Severity Severity
	Title    string
	Trigger  Trigger
	Evidence []string
	Fix      string
}

// Trigger is the number that made a rule apply, and what it was held against.
type Trigger struct {
	Name  string // what the number is
	Value float64
	Limit float64
	Unit  string // "bytes", "share" (of 1), "count"
}

var (
	jsHeap = &Rule{
		Name: "js-heap", Title: "The JavaScript heap is nearly full",
		Cause: "Objects are kept alive, or the heap may be no larger than what the program needs.",
		Sign:  "What the old spaces hold is near the limit at which V8 gives up, or the heap fills most of the container.",
	}
	buffers = &Rule{
		Name: "buffers", Title: "Buffers take most of the memory",
		Cause: "Buffers are outside the heap: no heap limit holds them, and V8 sees little of their weight.",
		Sign:  "ArrayBuffers, which all Buffers are, have the largest part of the process's own memory.",
	}
	external = &Rule{
		Name: "external", Title: "Memory outside the heap that V8 knows of takes most",
		Cause: "Native objects behind JavaScript ones: external strings, compression, cryptography, WebAssembly.",
		Sign:  "external without arrayBuffers has the largest part of the process's own memory.",
	}
	fragmentation = &Rule{
		Name: "fragmentation", Title: "Memory that malloc keeps and nobody uses",
		Cause: "Freed blocks between used ones cannot be given back; glibc also keeps an arena for each of many threads.",
		Sign:  "Much resident memory is in no heap, Buffer or stack, and no native module is loaded that could have it.",
	}
	native = &Rule{
		Name: "native", Title: "Native code has most of the memory",
		Cause: "A native module allocates, or malloc keeps what it freed.",
		Sign:  "Much resident memory is in no heap, Buffer or stack, and native modules are loaded.",
	}
	stacks = &Rule{
		Name: "stacks", Title: "Stacks of threads take much",
		Cause: "Many threads, or very deep recursion in them.",
		Sign:  "The resident part of the threads' stacks is a large part of the process's own memory.",
	}
	shared = &Rule{
		Name: "shared", Title: "Shared memory takes most",
		Cause: "Files in /dev/shm or another tmpfs are mapped; they count against the container.",
		Sign:  "Shared pages have the largest part of the process's own memory.",
	}
	worker = &Rule{
		Name: "worker", Title: "A worker thread's heap is nearly full",
		Cause: "Each worker thread has a heap of its own, with a limit of its own.",
		Sign:  "A worker's old spaces are near its limit, or the workers' heaps have most of the memory.",
	}
	otherProcess = &Rule{
		Name: "other-process", Title: "Another process has the container's memory",
		Cause: "Child processes and others in the container count against the same limit.",
		Sign:  "Processes beside the one that was looked at have a large part of what the group uses.",
	}
	limitAbove = &Rule{
		Name: "limit-above-container", Title: "The heap may grow beyond the container",
		Cause: "V8 collects hard only near its own limit. If the kernel's comes first, it kills a heap full of garbage.",
		Sign:  "The heap's limit, and what the process has outside, are more than the container may use.",
	}
	limitBelow = &Rule{
		Name: "limit-below-container", Title: "The heap's limit leaves much of the container unused",
		Cause: "The default is half of the container's memory (Node 20 and later); an option may be older than the container's size.",
		Sign:  "The heap is near its limit and the container is not.",
	}
	options = &Rule{
		Name: "options", Title: "Options contradict each other",
		Cause: "NODE_OPTIONS and the command line say different things; the last one wins.",
		Sign:  "The same option is given twice, or two that exclude each other.",
	}
	gcDrift = &Rule{
		Name: "gc-drift", Title: "Garbage that V8 has no reason to collect yet",
		Cause: "V8 lets the heap grow while its limit is far, and gives memory back late.",
		Sign:  "Most of the heap is garbage or free, and no limit is near.",
	}
	pageCache = &Rule{
		Name: "page-cache", Title: "The container is full of file pages",
		Cause: "Files that were read stay in memory until something else needs it.",
		Sign:  "The group's usage is near its limit, and file pages are what fills it.",
	}
	hostMemory = &Rule{
		Name: "host-memory", Title: "The machine is out of memory",
		Cause: "All processes of the machine together need more than it has.",
		Sign:  "Little of the machine's memory is available.",
	}
)

// Rules lists all rules in order of name.
func Rules() []*Rule {
	all := []*Rule{jsHeap, buffers, external, fragmentation, native, stacks, shared, worker, otherProcess, limitAbove, limitBelow,
		options, gcDrift, pageCache, hostMemory}
	slices.SortFunc(all, func(a, b *Rule) int { return cmp.Compare(a.Name, b.Name) })
	return all
}

const (
	// near is how full is nearly full: V8 needs the rest for what is in flight,
	// and Kubernetes' own alerts are usually set about there.
	near = 0.8
	// full is where most of a container is used.
	full = 0.7
	// most is the share of the process's own memory that makes a part the first
	// thing to look at.
	most = 0.4
	// muchUnexplained is a share that Node.js alone does not reach: idle it has
	// nothing, and under load some percent (Node 18 to 26).
	muchUnexplained = 0.3
	// least is how much anything has to be to matter.
	least = 64 * mib
	// alarming is how much unexplained memory is trouble without any limit near.
	alarming = 256 * mib
	// unusedContainer is the share of a container that a full heap should reach.
	unusedContainer = 0.6
	// littleHost is the share of a machine's memory below which its kernel may kill.
	littleHost = 0.05
	// garbageShare of the heap is a drift: V8 lets the heap grow up to fourfold
	// between two full collections (kMaxGrowingFactor in src/heap/heap-controller.h).
	garbageShare = 0.5
)

// Pressure is how full the fullest of the process's limits is, 0 to 1 and above,
// and what that is.
func (f Facts) Pressure() (share float64, of string) {
	for _, i := range f.Isolates {
		limit := i.OldLimit(f.Process.Options, f.Major())
		if limit > 0 && float64(i.Old())/float64(limit) > share {
			share, of = float64(i.Old())/float64(limit), "heap"
			if i.ThreadID != 0 {
				of = "worker"
			}
		}
	}
	if f.Group.Limit > 0 {
		if s := float64(f.Group.Working()) / float64(f.Group.Limit); s > share {
			share, of = s, "container"
		}
	}
	return share, of
}

// Diagnose says what is wrong, worst first, or nothing.
func Diagnose(f Facts) []Finding {
	d := &diagnosis{f: f, a: f.Account()}
	d.pressure, _ = f.Pressure()
	if f.Group.Limit > 0 {
		d.container = float64(f.Group.Working()) / float64(f.Group.Limit)
	}
	for _, rule := range []func(){d.heaps, d.others, d.fills, d.limits, d.conflicts, d.host, d.normal} {
		rule()
	}
	slices.SortStableFunc(d.found, func(a, b Finding) int { return cmp.Compare(b.Severity, a.Severity) })
	return d.found
}

type diagnosis struct {
	f         Facts
	a         Account
	pressure  float64 // of the fullest limit
	container float64 // of the container, 0 without a limit
	found     []Finding
}

func (d *diagnosis) add(f Finding) { d.found = append(d.found, f) }

func (d *diagnosis) has(r *Rule) bool {
	return slices.ContainsFunc(d.found, func(f Finding) bool { return f.Rule == r })
}

// tight reports whether a limit is near enough for what fills the memory to be
// the trouble.
func (d *diagnosis) tight() bool { return d.pressure >= full || d.littleHost() }

func (d *diagnosis) littleHost() bool {
	h := d.f.Host
	return h.Total > 0 && h.Available > 0 && float64(h.Available) < littleHost*float64(h.Total)
}

// heaps looks at each heap against its own limit.
func (d *diagnosis) heaps() {
	for _, i := range d.f.Isolates {
		limit := i.OldLimit(d.f.Process.Options, d.f.Major())
		old := i.Old()
		if limit == 0 || float64(old) < near*float64(limit) {
			continue
		}
		f := Finding{
			Rule: jsHeap, Severity: Trouble,
			Title:   fmt.Sprintf("the JavaScript heap is at %s of its limit of %s", percent(old, limit), Size(limit)),
			Trigger: Trigger{"old spaces of the limit", float64(old) / float64(limit), near, "share"},
		}
		if i.ThreadID != 0 {
			f.Rule = worker
			f.Title = fmt.Sprintf("the heap of worker %d%s is at %s of its limit of %s", i.ThreadID, named(i.Name), percent(old, limit), Size(limit))
			f.Fix = "Find what the worker keeps: heapsnap check --worker, or heapsnap capture --worker and heapsnap suspects. If it needs that much, give it " +
				fmt.Sprintf("resourceLimits: { maxOldGenerationSizeMb: %d }.", roundUp(2*old)/mib)
		} else {
			f.Fix = "Find what is kept: heapsnap check --every 60s --pid N, or one heapsnap capture and heapsnap suspects."
			f.Fix += d.raise(old)
		}
		f.Evidence = append(f.Evidence, d.liveness(i))
		if i.Detached > 2 {
			f.Evidence = append(f.Evidence, fmt.Sprintf("%d vm contexts were dropped and are kept", i.Detached))
		}
		d.add(f)
	}
}

// liveness says whether what the heap holds is known to be live.
func (d *diagnosis) liveness(i Isolate) string {
	if i.Live > 0 {
		return fmt.Sprintf("%s are live: a full collection left them", Size(i.Live))
	}
	return fmt.Sprintf("%s are used, live or garbage: --gc tells", Size(i.Used))
}

// raise is advice to raise the heap's limit, if there is room.
func (d *diagnosis) raise(old uint64) string {
	g := d.f.Group
	if g.Limit == 0 {
		return fmt.Sprintf(" If the program needs that much, start it with --max-old-space-size=%d.", roundUp(2*old)/mib)
	}
	flags, ok := FlagsFor(g.Limit, d.f.Outside(), d.f.Major())
	if ok && flags.OldSpace > d.f.OldLimit()*11/10 {
		return fmt.Sprintf(" The container has room for %s.", flags)
	}
	return fmt.Sprintf(" The container of %s has no room for a larger heap: if the program needs it, it takes a container of about %s.",
		Size(g.Limit), Size(ContainerFor(old, d.f.Outside(), d.f.Major())))
}

// fills looks at what the process's own memory is made of.
func (d *diagnosis) fills() {
	severity := Note
	if d.tight() {
		severity = Trouble
	}
	part := func(rule *Rule, name PartName, share float64, what, fix string, evidence ...string) {
		n := d.a.Bytes(name)
		if n < least || d.a.Share(name) < share {
			return
		}
		d.add(Finding{
			Rule: rule, Severity: severity,
			Title:    fmt.Sprintf("%s %s, %.0f %% of the process's own memory", what, Size(n), 100*d.a.Share(name)),
			Trigger:  Trigger{"share of the process's own memory", d.a.Share(name), share, "share"},
			Evidence: evidence, Fix: fix,
		})
	}
	part(buffers, PartBuffers, most, "Buffers take",
		"Find who keeps them: a heap snapshot has each Buffer with its holder (heapsnap capture, then heapsnap suspects); heapsnap check --every 60s names "+
			"the line if they grow. No heap limit holds Buffers: bound what is kept (queues, caches, uploads held whole), or use streams.",
		fmt.Sprintf("the JavaScript heap has %s only", Size(d.a.Bytes(PartHeap))))
	part(external, PartExternal, most, "native memory behind JavaScript objects takes",
		"See what it is behind: heapsnap capture, then heapsnap suspects. Usual are streams of zlib or crypto that are never closed, WebAssembly, and long strings.")
	d.unexplained()
	part(stacks, PartStacks, muchUnexplained, "stacks take",
		"Look for recursion without end, and for workers that are never terminated.", fmt.Sprintf("%d threads", d.f.Process.Threads))
	part(shared, PartShared, most, "shared memory takes", "Look for files in /dev/shm and for SharedArrayBuffers.")
	d.workers()
	// What is left is the heap, where it fills a container before its own limit. If
	// that is because its limit is beyond the container, garbage may fill it, and
	// the limits are the trouble, unless what fills it is known to live.
	main := d.f.Main()
	mayBeGarbage := d.f.OldLimit()+d.f.Outside() > d.f.Group.Limit && float64(main.Live) < unusedContainer*float64(d.f.Group.Limit)
	if !mayBeGarbage && !d.has(jsHeap) && d.container >= near && d.a.Bytes(PartHeap) >= least && d.a.Share(PartHeap) >= 0.5 && len(d.found) == 0 {
		d.add(Finding{
			Rule: jsHeap, Severity: Trouble,
			Title: fmt.Sprintf("the JavaScript heap has %s, %.0f %% of the process's own memory, and the container is %s full",
				Size(d.a.Bytes(PartHeap)), 100*d.a.Share(PartHeap), percent(d.f.Group.Working(), d.f.Group.Limit)),
			Trigger:  Trigger{"working set of the container's limit", d.container, near, "share"},
			Evidence: []string{d.liveness(main)},
			Fix:      "Find what is kept: heapsnap check --every 60s --pid N, or one heapsnap capture and heapsnap suspects.",
		})
	}
}

func (d *diagnosis) unexplained() {
	n, p := d.a.Bytes(PartUnexplained), d.f.Process
	if n < least || d.a.Share(PartUnexplained) < muchUnexplained {
		return
	}
	f := Finding{
		Rule: fragmentation, Severity: Note,
		Title:   fmt.Sprintf("%s, %.0f %% of the process's own memory, are in no heap, Buffer or stack", Size(n), 100*d.a.Share(PartUnexplained)),
		Trigger: Trigger{"unexplained share of the process's own memory", d.a.Share(PartUnexplained), muchUnexplained, "share"},
	}
	if d.tight() || n >= alarming {
		f.Severity = Trouble
	}
	if p.ArenaBytes > 0 {
		f.Evidence = append(f.Evidence, fmt.Sprintf("malloc (%s) holds %s in %d arenas", p.Allocator, Size(p.ArenaBytes), p.Arenas+1))
	}
	f.Evidence = append(f.Evidence, fmt.Sprintf("V8 knows of %s outside its heaps", Size(d.a.Bytes(PartBuffers)+d.a.Bytes(PartExternal))))
	switch {
	case len(p.Addons) > 0:
		f.Rule = native
		var names []string
		for _, a := range p.Addons {
			names = append(names, packageOf(a))
		}
		names = slices.Compact(names)
		f.Evidence = append(f.Evidence, "native modules: "+strings.Join(names[:min(len(names), 6)], ", "))
		f.Fix = "Look at what the native modules keep, and whether what they return is closed or freed. To tell fragmentation from a leak, start the " +
			"program with MALLOC_ARENA_MAX=2, or with LD_PRELOAD=libjemalloc.so.2: if the memory stays small, it was fragmentation."
	case p.Allocator == "glibc":
		f.Fix = "Start the program with MALLOC_ARENA_MAX=2 in its environment, or with LD_PRELOAD=libjemalloc.so.2; keep few small Buffers for long " +
			"between many short-lived ones. A heap snapshot that was taken before also leaves such memory behind."
	default:
		f.Fix = "Look at native code: what it allocates neither V8 nor Node.js sees. A heap snapshot that was taken before also leaves such memory behind."
	}
	d.add(f)
}

// packageOf is the package of a native module's path.
func packageOf(file string) string {
	_, rest, ok := cutLast(file, "node_modules/")
	if !ok {
		return path.Base(file)
	}
	parts := strings.Split(rest, "/")
	if strings.HasPrefix(rest, "@") && len(parts) > 1 {
		return parts[0] + "/" + parts[1]
	}
	return parts[0]
}

func cutLast(s, sep string) (before, after string, ok bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}

// workers looks at the heaps of all workers together.
func (d *diagnosis) workers() {
	if d.has(worker) || len(d.f.Isolates) < 2 || !d.tight() {
		return
	}
	var n uint64
	for _, i := range d.f.Isolates[1:] {
		n += i.Physical + i.External
	}
	if own := d.a.Own(); n < least || own == 0 || float64(n) < most*float64(own) {
		return
	}
	largest := slices.MaxFunc(d.f.Isolates[1:], func(a, b Isolate) int { return cmp.Compare(a.Physical+a.External, b.Physical+b.External) })
	d.add(Finding{
		Rule: worker, Severity: Trouble,
		Title:    fmt.Sprintf("%d worker threads have %s, %s of the process's own memory", len(d.f.Isolates)-1, Size(n), percent(n, d.a.Own())),
		Trigger:  Trigger{"workers' share of the process's own memory", float64(n) / float64(d.a.Own()), most, "share"},
		Evidence: []string{fmt.Sprintf("worker %d%s has %s", largest.ThreadID, named(largest.Name), Size(largest.Physical+largest.External))},
		Fix:      "Start fewer workers, or bound each by resourceLimits; heapsnap check --worker finds what one keeps.",
	})
}

// others looks at the rest of the container.
func (d *diagnosis) others() {
	var n uint64
	for _, o := range d.f.Others {
		n += o.Anon
	}
	own := d.a.Own()
	if d.f.Group.Limit == 0 || n < least || float64(n) < most*float64(n+own) {
		return
	}
	f := Finding{
		Rule: otherProcess, Severity: Note,
		Title:   fmt.Sprintf("%s beside this one %s; this one has %s", plural(len(d.f.Others), "process", "processes"), has(len(d.f.Others), n), Size(own)),
		Trigger: Trigger{"share of the processes' own memory", float64(n) / float64(n+own), most, "share"},
		Fix:     "Look at what it is: it counts against the same limit, and the kernel may kill either. Give the container what all of them need, or move it out.",
	}
	if d.container >= full {
		f.Severity = Trouble
	}
	for _, o := range d.f.Others[:min(len(d.f.Others), 3)] {
		f.Evidence = append(f.Evidence, fmt.Sprintf("process %d (%s) has %s", o.PID, o.Name, Size(o.Anon)))
	}
	d.add(f)
}

// limits looks at the limits against each other.
func (d *diagnosis) limits() {
	g, main := d.f.Group, d.f.Main()
	limit := d.f.OldLimit()
	if g.Limit == 0 || limit == 0 {
		return
	}
	outside := d.f.Outside()
	whole := limit + outside
	if whole > g.Limit {
		f := Finding{
			Rule: limitAbove, Severity: Trouble,
			Title:    fmt.Sprintf("the heap may grow to %s, and the container has %s in all", Size(limit), Size(g.Limit)),
			Trigger:  Trigger{"heap limit and memory outside the heap", float64(whole), float64(g.Limit), "bytes"},
			Evidence: []string{fmt.Sprintf("with %s outside the heap: the kernel kills before V8 collects hard", Size(outside))},
		}
		switch o := d.f.Process.Options; {
		case o.OldSpaceShare > 0 || o.OldSpace > 0 || o.HeapSize > 0:
			for _, given := range o.Given {
				if given.Name == "--max-old-space-size" || given.Name == "--max-old-space-size-percentage" || given.Name == "--max-heap-size" {
					f.Evidence = append(f.Evidence, fmt.Sprintf("%s says %s", given.From, given.Text))
				}
			}
		case !KnowsContainer(d.f.Major(), g.Version):
			f.Evidence = append(f.Evidence, fmt.Sprintf("Node %d does not read limits of control groups version 2: it goes by the machine's memory", d.f.Major()))
		default:
			f.Evidence = append(f.Evidence, "it is Node's default, which is never below 256 MiB and goes by the machine's memory where it sees no limit")
		}
		if flags, ok := FlagsFor(g.Limit, outside, d.f.Major()); ok {
			f.Fix = fmt.Sprintf("Start it with NODE_OPTIONS=\"%s\".", flags)
		} else {
			f.Fix = fmt.Sprintf("The container is too small for it: give it %s.", Size(ContainerFor(main.Old(), outside, d.f.Major())))
		}
		d.add(f)
		return
	}
	if old := main.Old(); float64(old) >= full*float64(limit) && float64(whole) < unusedContainer*float64(g.Limit) {
		f := Finding{
			Rule: limitBelow, Severity: Trouble,
			Title:    fmt.Sprintf("V8 gives up at %s, and the container has %s", Size(limit), Size(g.Limit)),
			Trigger:  Trigger{"heap limit and memory outside the heap, of the container", float64(whole) / float64(g.Limit), unusedContainer, "share"},
			Evidence: []string{fmt.Sprintf("the heap is at %s of its limit, with %s outside", percent(old, limit), Size(outside))},
		}
		if flags, ok := FlagsFor(g.Limit, outside, d.f.Major()); ok {
			f.Fix = fmt.Sprintf("If the heap does not grow without end (heapsnap watch tells), start it with NODE_OPTIONS=\"%s\"", flags)
			if KnowsPercentage(d.f.Major()) {
				f.Fix += ", or --max-old-space-size-percentage=75"
			}
			f.Fix += "."
		}
		d.add(f)
	}
}

func (d *diagnosis) conflicts() {
	all := d.f.Process.Options.Conflicts(d.f.Major())
	for _, i := range d.f.Isolates {
		if limit := i.OldLimit(d.f.Process.Options, d.f.Major()); i.Wanted > 0 && limit > i.Wanted+mib && d.f.Process.Options.OldSpace > 0 {
			all = append(all, fmt.Sprintf("--max-old-space-size=%d overrides the resourceLimits of worker %d%s: its heap may grow to %s, not %s",
				d.f.Process.Options.OldSpace/mib, i.ThreadID, named(i.Name), Size(limit), Size(i.Wanted)))
		}
	}
	if len(all) == 0 {
		return
	}
	d.add(Finding{
		Rule: options, Severity: Note, Title: all[0], Evidence: all[1:],
		Trigger: Trigger{"contradictions", float64(len(all)), 1, "count"},
		Fix:     "Give the option once, where whoever deploys the program looks for it.",
	})
}

func (d *diagnosis) host() {
	if !d.littleHost() {
		return
	}
	h := d.f.Host
	d.add(Finding{
		Rule: hostMemory, Severity: Trouble, Title: fmt.Sprintf("the machine has %s of %s left", Size(h.Available), Size(h.Total)),
		Trigger: Trigger{"available share of the machine's memory", float64(h.Available) / float64(h.Total), littleHost, "share"},
		Fix:     "See what else runs there: the kernel may kill any of it.",
	})
}

// normal says what looks like trouble and is none.
func (d *diagnosis) normal() {
	main, g := d.f.Main(), d.f.Group
	if main.Live > 0 && main.Total >= least && float64(main.Live) < garbageShare*float64(main.Total) && !d.tight() {
		d.add(Finding{
			Rule: gcDrift, Severity: Note,
			Title:   fmt.Sprintf("%s of the heap's %s are live: the rest is garbage or free", Size(main.Live), Size(main.Total)),
			Trigger: Trigger{"live share of the heap", float64(main.Live) / float64(main.Total), garbageShare, "share"},
			Fix:     "Nothing. To have the memory back sooner, give a lower --max-old-space-size: V8 collects more when its limit is nearer.",
		})
	}
	if g.Limit > 0 && float64(g.Current) >= near*float64(g.Limit) && d.container < unusedContainer {
		d.add(Finding{
			Rule: pageCache, Severity: Note,
			Title:   fmt.Sprintf("of the container's %s, %s are file pages that the kernel drops when it needs them", Size(g.Current), Size(g.Cache)),
			Trigger: Trigger{"working set of the container's limit", d.container, unusedContainer, "share"},
			Fix:     "Nothing: watch the working set, not the usage.",
		})
	}
}

func percent(part, whole uint64) string {
	if whole == 0 {
		return "0 %"
	}
	return fmt.Sprintf("%.0f %%", 100*float64(part)/float64(whole))
}

// Size is bytes for people: 512 B, 39.1 KiB. Package report has the same.
func Size(n uint64) string {
	if n < 1024 {
		return fmt.Sprintf("%d B", n)
	}
	v, u := float64(n)/1024, 0
	for v >= 1023.95 && u < 5 {
		v, u = v/1024, u+1
	}
	return fmt.Sprintf("%.1f %ciB", v, "KMGTPE"[u])
}

func roundUp(n uint64) uint64 { return (n + 64*mib - 1) / (64 * mib) * (64 * mib) }

func named(name string) string {
	if name == "" || name == "WorkerThread" {
		return ""
	}
	return " (" + name + ")"
}

func has(n int, bytes uint64) string {
	if n == 1 {
		return "has " + Size(bytes)
	}
	return "have " + Size(bytes)
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
