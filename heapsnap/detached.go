package heapsnap

import "strings"

// propagateDetached spreads the embedder's marks (attached to a page, or
// detached from it) to the native objects that marked ones hold, and renames
// the detached: HS:3029-3160. Without the field in the file, names tell.
func (s *Snapshot) propagateDetached() {
	const attachedState, detachedState = 1, 2
	if s.detached == nil {
		for i, t := range s.nodeType {
			if t != Native || !strings.HasPrefix(s.RawName(Node(i)), "Detached ") {
				continue
			}
			if s.detached == nil {
				s.detached = make([]uint8, s.NodeCount())
			}
			s.detached[i] = detachedState
		}
		return
	}
	visited := newBitset(s.NodeCount())
	var attached, detached []Node
	process := func(n Node, state uint8) {
		if visited.has(n) {
			return
		}
		visited.add(n)
		if s.nodeType[n] != Native {
			return
		}
		s.detached[n] = state
		switch state {
		case attachedState:
			attached = append(attached, n)
		case detachedState:
			s.rename(n)
			detached = append(detached, n)
		}
	}
	for i, state := range s.detached {
		if state != 0 {
			process(Node(i), state)
		}
	}
	spread := func(from Node, state uint8) {
		for e := s.firstEdge[from]; e < s.firstEdge[from+1]; e++ {
			if t := s.edgeType[e]; t != HiddenEdge && t != InvisibleEdge && t != WeakEdge {
				process(s.edgeTo[e], state)
			}
		}
	}
	for len(attached) > 0 {
		n := attached[len(attached)-1]
		attached = attached[:len(attached)-1]
		spread(n, attachedState)
	}
	for len(detached) > 0 {
		n := detached[len(detached)-1]
		detached = detached[:len(detached)-1]
		if s.detached[n] != attachedState {
			spread(n, detachedState)
		}
	}
}

// rename gives n the name "Detached "+name.
func (s *Snapshot) rename(n Node) {
	if s.renamed == nil {
		s.renamed = make([]bool, s.NodeCount())
		s.detachedName = map[uint32]uint32{}
	}
	s.renamed[n] = true
	if name := s.nodeName[n]; s.detachedName[name] == 0 {
		s.detachedName[name] = s.addString("Detached " + s.strings.at(name))
	}
}

// addString adds a string that is not in the file and returns its number.
func (s *Snapshot) addString(text string) uint32 {
	s.extraMu.Lock()
	defer s.extraMu.Unlock()
	s.extra = append(s.extra, text)
	return uint32(s.strings.count() + len(s.extra) - 1)
}

// name returns the number of n's name, after renaming.
func (s *Snapshot) name(n Node) uint32 {
	s.namesOnce.Do(s.propagateDetached)
	if s.renamed != nil && s.renamed[n] {
		return s.detachedName[s.nodeName[n]]
	}
	return s.nodeName[n]
}

// text returns a string of the file or one of ours.
func (s *Snapshot) text(i uint32) string {
	if n := uint32(s.strings.count()); i >= n {
		s.extraMu.RLock()
		defer s.extraMu.RUnlock()
		return s.extra[i-n]
	}
	return s.strings.at(i)
}

// appendText appends text(i) to b.
func (s *Snapshot) appendText(b []byte, i uint32) []byte {
	if n := uint32(s.strings.count()); i < n {
		return s.strings.appendTo(b, i)
	}
	return append(b, s.text(i)...)
}

// nameTag returns the tag of n's name, after renaming.
func (s *Snapshot) nameTag(n Node) tag {
	if name := s.name(n); int(name) < len(s.tags) {
		return s.tags[name]
	}
	return tagNone
}
