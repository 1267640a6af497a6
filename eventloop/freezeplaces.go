package eventloop

import (
	"slices"

	"heapsnap/cdp"
)

// FreezePlaces are the calls of a Freeze where a person wrote them.
type FreezePlaces struct {
	Frame *Site  // as Freeze.Frame
	Code  string // the line's text
	// Caller is the program's own line nearest to Frame, where that is in a package.
	Caller     *Site
	CallerCode string
	Stack      []Site // as Freeze.Stack
}

// Places leads by source maps to where the calls were written. read returns the
// text of a script, a map, a source or a package.json by its path, as far as
// they can be had.
func (f *Freeze) Places(read func(path string) ([]byte, error)) FreezePlaces {
	p := newPlaces(newSources(&Recording{}, read), nil)
	var to FreezePlaces
	site := func(fr cdp.Frame) Site {
		return Site{Function: fr.Function, File: fr.File, Line: fr.Line, Column: fr.Column, script: fr.File}
	}
	for _, fr := range f.Stack {
		s := site(fr)
		if program(fr) {
			s = p.placed(s)
		}
		to.Stack = append(to.Stack, s)
	}
	if f.Frame == nil {
		return to
	}
	at := site(*f.Frame)
	s := p.placed(at)
	to.Frame, to.Code = &s, p.code(at)
	if s.Package == "" {
		return to
	}
	from := slices.IndexFunc(f.Stack, func(fr cdp.Frame) bool { return fr.Function == f.Frame.Function && fr.File == f.Frame.File })
	for i := max(from, 0); i < len(f.Stack); i++ {
		if program(f.Stack[i]) && to.Stack[i].Package == "" {
			to.Caller, to.CallerCode = &to.Stack[i], p.code(site(f.Stack[i]))
			break
		}
	}
	return to
}
