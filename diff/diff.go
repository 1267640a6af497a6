// Package diff compares captures of one process and finds what grew: which
// old object holds objects that keep being born and never die. Of a single
// capture, and of two that have no process in common, it finds what stands out,
// in the same terms. It knows no kinds of leak, no Node and no source files; see
// leak for those.
//
// The words: a capture is one heap snapshot at a quiet moment. A round is what
// happened between two captures. The cohort of an object is the first capture
// that has it. A survivor is an object that the first capture does not have
// and the last one does. A holder is an old object with a strong reference to
// a survivor. A growth site is a holder, the way from it to the first
// survivors, and all survivors that are reached only so.
//
// [Compare] gives a [Diff], which has [GrowthSite] values. So do [Alone] and
// [Across]: they take a crowd, or what one capture has more of, for born in a
// round that never was.
package diff

import (
	"context"
	"errors"
	"fmt"

	"heapsnap/heapsnap"
)

// Options are what a comparison may be told. The zero value works.
type Options struct {
	// Populations looks up how full the objects were in a capture, counted
	// from 0; nil if captures cannot be read twice. It is only called when
	// there is a site whose holder could be a bounded cache, or an old object
	// whose storage may have grown without any survivor; by two goroutines.
	Populations func(ctx context.Context, capture int, ids []heapsnap.ObjectID) (map[heapsnap.ObjectID]heapsnap.Filling, error)
	// Texts likewise looks up how much text objects refer to, see
	// [heapsnap.OpenTexts]. It is only called when an old object has a new text of
	// some length.
	Texts func(ctx context.Context, capture int, ids []heapsnap.ObjectID) (map[heapsnap.ObjectID]uint64, error)
}

// Judgement says what a site's growth means.
type Judgement string

// The judgements. Growth is undecided: it is all that two captures can tell,
// and what rounds tell that differ too much.
const (
	Leak     Judgement = "leak"      // every round added, and what it added stayed
	Growth   Judgement = "growth"    // grew, and nobody can say whether it goes on
	Bounded  Judgement = "bounded"   // a cache, pool or ring: as much leaves as comes
	WarmUp   Judgement = "warm-up"   // grew in the first rounds and stopped
	InFlight Judgement = "in-flight" // only objects of the last round are alive
	Churn    Judgement = "churn"     // V8's and the embedder's own bookkeeping
	Small    Judgement = "small"     // too few objects to mean anything
	Suspect  Judgement = "suspect"   // holds much of a single capture, see Alone
	More     Judgement = "more"      // more of it than in another process, see Across
)

// A Diff is what grew between the first and the last capture.
type Diff struct {
	Last     *heapsnap.Snapshot
	Captures int
	Sites    []*GrowthSite // largest first; every survivor is in at most one

	// Total counts all objects that the first capture does not have; the parts
	// add up to it. Its bytes are shallow sizes as DevTools has them.
	Total Amount
	Parts map[Judgement]Amount

	cohort []uint8  // node -> effective cohort: 0 for the first capture
	site   []uint32 // node -> index into Sites + 1, 0 for none
}

// Amount is a number of objects and their bytes.
type Amount struct {
	Count int
	Bytes uint64
}

func (a *Amount) add(bytes uint64) {
	a.Count++
	a.Bytes += bytes
}

// A GrowthSite is one place in the heap that grew.
type GrowthSite struct {
	// Holder is the object that lets the survivors live; Holders has every
	// object that does, Holder first, when several reach the same survivors.
	Holder  heapsnap.Node
	Holders []heapsnap.Node
	// Label is the way from Holder to the first survivors, free of identity:
	// a property or variable name, or [x] for elements, entries and lists.
	Label string
	// Entries are the survivors that Holder refers to, itself or through its
	// own storage, oldest cohort first.
	Entries []heapsnap.Node

	Count []int    // survivors per round in which they were born
	Bytes []uint64 // likewise, shallow sizes
	Entry []int    // entries per round

	// Population is how many references Holder had in each capture, or nil if
	// that was not looked up. See [heapsnap.Snapshot.Population].
	Population []int

	Judgement  Judgement
	Confidence float64 // 0..1
	Why        string  // the judgement's reason, a sentence

	// Classes counts the survivors by class, most frequent first.
	Classes []ClassCount

	// Swelling says that the holder grew without survivors: by small integers,
	// or by references to objects that were there before. Count then has the
	// references it gained, if they are known, and Bytes its storage's growth.
	Swelling bool
	// Text has, of a holder whose text under Label is longer after every round, how
	// many bytes it was in each capture; it is a Swelling, too.
	Text []uint64

	holderID heapsnap.ObjectID
	root     bool // held by V8's roots or native objects only
}

// ClassCount is a class among a site's survivors.
type ClassCount struct {
	Class    string
	PerRound []int
	Total    int
	Sample   heapsnap.Node
}

// Survivors returns the number of survivors and their bytes: what would be
// freed if all holders let go.
func (g *GrowthSite) Survivors() Amount {
	var a Amount
	for i, c := range g.Count {
		a.Count += c
		a.Bytes += g.Bytes[i]
	}
	return a
}

// Compare finds the growth of last against the earlier captures of the same
// process, oldest first; there must be one at least.
func Compare(ctx context.Context, earlier []*heapsnap.Identities, last *heapsnap.Snapshot, opts Options) (*Diff, error) {
	if len(earlier) == 0 {
		return nil, errors.New("two captures or more are needed to compare")
	}
	if len(earlier) > 250 {
		return nil, fmt.Errorf("%d captures: at most 251 can be compared", len(earlier)+1)
	}
	for i, e := range earlier {
		if err := sameProcess(e, last); err != nil {
			return nil, err
		}
		if i > 0 && earlier[i-1].CountAbove(e.MaxID()) >= outOfOrder {
			return nil, fmt.Errorf("the captures are not in order: capture %d has object ids up to %d, capture %d only up to %d (name the oldest first)",
				i, earlier[i-1].MaxID(), i+1, e.MaxID())
		}
	}
	c := newComparison(last, earlier, len(earlier))
	c.assignCohorts()
	c.findFrontier()
	if err := ctx.Err(); err != nil {
		return nil, context.Cause(ctx)
	}
	c.spread()
	c.group()
	c.count()
	c.descend()
	if err := c.populations(ctx, opts); err != nil {
		return nil, err
	}
	if err := c.findGrowingTexts(ctx, opts); err != nil {
		return nil, err
	}
	c.judge()
	c.account()
	return c.d, nil
}

// comparison is the state of one Compare.
type comparison struct {
	s       *heapsnap.Snapshot
	earlier []*heapsnap.Identities
	rounds  int
	d       *Diff

	cohort []uint8 // node -> effective cohort, see assignCohorts
	fresh  []bool  // node -> the first capture does not have its id

	frontier []reference // references from old objects to survivors
	seeds    []seed      // one per (holder, label) of the frontier
	set      []uint32    // node -> set of seeds that reach it, an index into sets; 0 for none
	sets     [][]uint32  // set -> its seeds, ascending

	sites  []*GrowthSite
	siteOf []uint32 // node -> index into sites + 1
}

// Nothing is the diff of a capture against itself: all objects are old.
func Nothing(s *heapsnap.Snapshot) *Diff {
	return &Diff{
		Last: s, Captures: 1, Parts: map[Judgement]Amount{},
		cohort: make([]uint8, s.NodeCount()), site: make([]uint32, s.NodeCount()),
	}
}

func newComparison(last *heapsnap.Snapshot, earlier []*heapsnap.Identities, rounds int) *comparison {
	return &comparison{
		s: last, earlier: earlier, rounds: rounds,
		d: &Diff{Last: last, Captures: rounds + 1, Parts: map[Judgement]Amount{}},
	}
}

// outOfOrder is how many objects of an earlier capture may be newer than all of
// a later one. Ids only grow, but the newest objects of a quiet moment die, and
// a program at rest makes none that live: seen on Node 26, a few objects.
const outOfOrder = 100

// sameProcess refuses captures whose ids cannot be compared: of two processes
// or two inspector sessions, or in the wrong order.
func sameProcess(first *heapsnap.Identities, last *heapsnap.Snapshot) error {
	var top heapsnap.ObjectID
	for i := range last.NodeCount() {
		if id := last.ID(heapsnap.Node(i)); id&1 == 1 {
			top = max(top, id)
		}
	}
	if !first.SameProcess(last) {
		return errors.New("the captures are not of one process and one inspector session: their object ids name different things (V8 numbers objects anew when any inspector session ends, also that of a debugger that came and went; take all captures in one, as heapsnap check --every does, with nobody else attached; heapsnap diff --across compares two processes)")
	}
	if first.CountAbove(top) >= outOfOrder {
		return fmt.Errorf("the captures are not in order: the first has object ids up to %d, the last only up to %d (name the oldest first)", first.MaxID(), top)
	}
	return nil
}
