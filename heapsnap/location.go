package heapsnap

import "sync"

// A Location is where a function, or an object's constructor, is written.
type Location struct {
	ScriptID uint32
	Script   string // the script's URL or path; empty if no closure of it is alive
	Line     int    // 1-based
	Column   int    // 1-based
}

// A spot is a location as the file has it. Line and column are 0-based.
type spot struct {
	script, line, column uint32
}

// placeTable numbers spots: a program has thousands, of millions of objects.
type placeTable struct {
	mu      sync.Mutex
	s       *Snapshot
	numbers map[spot]uint32
}

func newPlaceTable(s *Snapshot) *placeTable {
	s.spots = []spot{{}}
	return &placeTable{s: s, numbers: map[spot]uint32{}}
}

// number may be called by several goroutines.
func (t *placeTable) number(at spot) uint32 {
	t.mu.Lock()
	defer t.mu.Unlock()
	n, ok := t.numbers[at]
	if !ok {
		n = uint32(len(t.s.spots))
		t.s.spots = append(t.s.spots, at)
		t.numbers[at] = n
	}
	return n
}

// A placeCache keeps the numbers of the spots seen last: one look in a few
// kilobytes instead of one in a map, for each of millions of rows.
type placeCache struct {
	table   *placeTable
	entries [1 << 10]struct {
		spot   spot
		number uint32 // 0 for an empty entry
	}
}

func (c *placeCache) number(at spot) uint32 {
	e := &c.entries[(at.script*0x9e3779b1^at.line*0x85ebca6b^at.column*0xc2b2ae35)>>22]
	if e.number == 0 || e.spot != at {
		e.spot, e.number = at, c.table.number(at)
	}
	return e.number
}

// spotOf returns where n is written, if the file says.
func (s *Snapshot) spotOf(n Node) (spot, bool) {
	if s.place == nil || s.place[n] == 0 {
		return spot{}, false
	}
	return s.spots[s.place[n]], true
}

// Location returns where the closure n, or the constructor of the object n, is
// written, or nil if V8 did not say.
func (s *Snapshot) Location(n Node) *Location {
	if l, ok := s.Place(n); ok {
		return &l
	}
	return nil
}

// Place is [Snapshot.Location] without an allocation; false is nil.
func (s *Snapshot) Place(n Node) (Location, bool) {
	at, ok := s.spotOf(n)
	if !ok {
		return Location{}, false
	}
	return s.locate(at), true
}

func (s *Snapshot) locate(at spot) Location {
	s.scriptsOnce.Do(s.findScripts)
	return Location{ScriptID: at.script, Script: s.scripts[at.script], Line: int(at.line) + 1, Column: int(at.column) + 1}
}

// ScriptName returns the name of the script with V8's id, or "".
func (s *Snapshot) ScriptName(id uint32) string {
	s.scriptsOnce.Do(s.findScripts)
	return s.scripts[id]
}

// findScripts recovers the names of scripts from the heap itself: a closure's
// location has the script's id, and closure -> shared -> script leads to the
// Script object, which V8 names by its file. Seen on Node 18 to 26: every
// located closure leads to exactly one name.
func (s *Snapshot) findScripts() {
	s.scripts = map[uint32]string{}
	for i, t := range s.nodeType {
		if t != Closure {
			continue
		}
		at, ok := s.spotOf(Node(i))
		if !ok || s.scripts[at.script] != "" {
			continue
		}
		if name := s.scriptName(Node(i)); name != "" {
			s.scripts[at.script] = name
		}
	}
}

// scriptName returns the name of the script in which the closure n is written.
func (s *Snapshot) scriptName(n Node) string {
	shared := s.Internal(n, "shared")
	if shared == NoNode {
		return ""
	}
	script := s.Internal(shared, "script")
	if script == NoNode {
		script = s.Internal(shared, "script_or_debug_info")
	}
	if script == NoNode {
		return ""
	}
	if name := s.Internal(script, "name"); name != NoNode && s.nodeType[name] == String {
		return s.RawName(name)
	}
	name := s.RawName(script)
	const prefix = "system / Script / " // V8 15, and with internals exposed
	if len(name) > len(prefix) && name[:len(prefix)] == prefix {
		return name[len(prefix):]
	}
	if len(name) >= 8 && name[:8] == "system /" {
		return ""
	}
	return name
}

// Scripts returns the names of all scripts that a closure in the heap leads
// to, by V8's script id. The map is the snapshot's own.
func (s *Snapshot) Scripts() map[uint32]string {
	s.scriptsOnce.Do(s.findScripts)
	return s.scripts
}

// Script returns the name of the script in which the closure n is written, or
// "".
func (s *Snapshot) Script(n Node) string {
	if s.nodeType[n] != Closure {
		return ""
	}
	return s.scriptName(n)
}
