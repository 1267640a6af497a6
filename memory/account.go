package memory

// Account says where the resident memory of a process goes. The parts add up to
// RSS.
type Account struct {
	RSS   uint64
	Parts []Part
}

// Part is a share of the resident memory.
type Part struct {
	Name  PartName
	Bytes uint64
}

// PartName is what a part is.
type PartName string

const (
	PartHeap        PartName = "heap"        // V8's heaps, of all threads
	PartBuffers     PartName = "buffers"     // ArrayBuffers, which Buffers are
	PartExternal    PartName = "external"    // what else V8 knows of outside its heaps
	PartMalloced    PartName = "v8"          // V8's own
	PartStacks      PartName = "stacks"      // of threads
	PartCode        PartName = "files"       // code, libraries, mapped files
	PartShared      PartName = "shared"      // shared memory
	PartUnexplained PartName = "unexplained" // native code, and what malloc keeps
)

// Bytes is a part's size, 0 if there is none.
func (a Account) Bytes(name PartName) uint64 {
	for _, p := range a.Parts {
		if p.Name == name {
			return p.Bytes
		}
	}
	return 0
}

// Share is a part's share of the memory that only this process has: file pages
// are dropped and read again when memory gets tight, and so kill nobody.
func (a Account) Share(name PartName) float64 {
	own := a.Own()
	if own == 0 {
		return 0
	}
	return float64(a.Bytes(name)) / float64(own)
}

// Own is RSS without file pages.
func (a Account) Own() uint64 { return a.RSS - min(a.RSS, a.Bytes(PartCode)) }

// AccountOf splits the resident memory of a process. What V8 counts may not be
// in memory, such as a Buffer that was never written to: a part is never larger
// than what the parts before it leave.
func AccountOf(p Process, isolates []Isolate) Account {
	var heap, external, buffers, malloced uint64
	for _, i := range isolates {
		physical := i.Physical
		if physical == 0 {
			physical = i.Total
		}
		heap += physical
		malloced += i.Malloced
		// Node gives these figures for the thread that asks (src/node_process_methods.cc).
		external += i.External - min(i.External, i.ArrayBuffers)
		buffers += i.ArrayBuffers
	}
	a := Account{RSS: p.RSS}
	left := p.RSS
	take := func(name PartName, n uint64) {
		n = min(n, left)
		left -= n
		a.Parts = append(a.Parts, Part{name, n})
	}
	take(PartCode, p.File)
	take(PartShared, p.Shared)
	take(PartHeap, heap)
	take(PartStacks, p.Stacks)
	take(PartMalloced, malloced)
	take(PartBuffers, buffers)
	take(PartExternal, external)
	take(PartUnexplained, left)
	return a
}

// Account is the split of the process's memory.
func (f Facts) Account() Account { return AccountOf(f.Process, f.Isolates) }
