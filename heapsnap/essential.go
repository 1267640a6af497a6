package heapsnap

// essential reports whether e, an edge of from, counts for dominators and
// retained sizes: HS:2026-2112, tests in that order.
//
// The edge from a WeakMap's table to a value is dropped, so that a value
// belongs to its key; so are references from outside into the user's page
// objects, so that what the program holds is not shared with V8's tables.
func (s *Snapshot) essential(from Node, e Edge) bool {
	t, to := s.edgeType[e], s.edgeTo[e]
	switch t {
	case WeakEdge:
		return false
	case InternalEdge:
		if name := s.edgeName[e]; s.tags[name] == tagEphemeron && s.ephemerons[name].table == s.id.at(uint32(from)) {
			return false
		}
	}
	if to == from {
		return false
	}
	if from != s.root {
		if t == ShortcutEdge {
			return false
		}
		if s.page.has(to) && !s.page.has(from) {
			return false
		}
	}
	return true
}

// Strong reports whether e, an edge of from, keeps its target alive: it is not
// weak, not a shortcut for another way, not to itself, and not the second copy
// of a WeakMap entry's edge, which belongs to the key.
func (s *Snapshot) Strong(from Node, e Edge) bool {
	t := s.edgeType[e]
	if t == WeakEdge || t == ShortcutEdge || s.edgeTo[e] == from {
		return false
	}
	if t == InternalEdge {
		if name := s.edgeName[e]; s.tags[name] == tagEphemeron && s.ephemerons[name].table == s.id.at(uint32(from)) {
			return false
		}
	}
	return true
}
