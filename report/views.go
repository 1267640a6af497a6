package report

import "io"

// A View answers one question about one snapshot: [ObjectView], [RetainersView],
// [PathsView], [DominatedView] or [StringsView]. docs/views.schema.json
// describes their JSON.
type View interface{ answer }

// WriteView shows v as text or as JSON. It does not change v.
func WriteView(w io.Writer, v View, f Format, o Options) error {
	return writeAnswer(w, v, "what is in a snapshot", f, o)
}

// ViewHead is what all views begin with.
type ViewHead struct {
	Head
	Capture  Capture  `json:"capture"`
	Warnings []string `json:"warnings"`
}

func (h ViewHead) normal() ViewHead {
	h.Schema = SchemaVersion
	h.Warnings = notNil(h.Warnings)
	return h
}

// Object is an object of a snapshot.
type Object struct {
	ID       uint64 `json:"id"`
	Class    string `json:"class"`
	Name     string `json:"name"` // as DevTools shows it; of a string its text
	Type     string `json:"type"` // V8's
	Self     uint64 `json:"selfBytes"`
	Retained uint64 `json:"retainedBytes"`
	Distance int    `json:"distance"`               // -1 where DevTools prints a dash
	Detached string `json:"detachedness,omitempty"` // attached, detached
	// Location is where a function, or an object's constructor, is written.
	Location *Place `json:"location,omitempty"`
}

// Place is a line of a script, both counted from 1.
type Place struct {
	File   string `json:"file"`
	Line   int    `json:"line"`
	Column int    `json:"column"`
}

// Reference is a reference and the object at its other end.
type Reference struct {
	Type   string `json:"type"` // V8's
	Edge   string `json:"edge"` // name or index
	Object Object `json:"object"`
}

// ObjectView is the result of `heapsnap show`.
type ObjectView struct {
	ViewHead
	Object     Object      `json:"object"`
	Dominator  *Object     `json:"dominator,omitempty"` // missing for the root
	Retainers  int         `json:"retainerCount"`       // references to it that are not weak
	Weak       int         `json:"weakRetainerCount"`
	Count      int         `json:"referenceCount"` // of all its references
	Skipped    int         `json:"skipped"`        // references before the first of the list
	Sort       string      `json:"sort"`
	References []Reference `json:"references"`
}

func (v *ObjectView) normal() any {
	c := *v
	c.ViewHead = v.ViewHead.normal()
	c.References = notNil(v.References)
	return c
}

// RetainersView is the result of `heapsnap retainers`.
type RetainersView struct {
	ViewHead
	Object    Object      `json:"object"`
	Count     int         `json:"retainerCount"`     // references that are not weak
	Weak      int         `json:"weakRetainerCount"` // weak ones
	Listed    bool        `json:"weakListed"`        // weak ones are in the list too
	Skipped   int         `json:"skipped"`
	Retainers []Reference `json:"retainers"` // nearest to the root first; the object is who refers
}

func (v *RetainersView) normal() any {
	c := *v
	c.ViewHead = v.ViewHead.normal()
	c.Retainers = notNil(v.Retainers)
	return c
}

// PathsView is the result of `heapsnap paths`.
type PathsView struct {
	ViewHead
	Object   Object     `json:"object"`
	Limits   PathLimits `json:"limits"`
	Reached  []string   `json:"limitsReached"` // of depth, nodes, siblings
	Paths    []PathEdge `json:"paths"`         // from the object towards the roots
	Shortest []PathStep `json:"shortest"`      // from the root to the object; set where Paths is empty, or on demand
}

// PathLimits are how far the search for paths went.
type PathLimits struct {
	Depth    int `json:"depth"`
	Nodes    int `json:"nodes"`
	Siblings int `json:"siblings"`
}

// PathEdge is a reference on a retaining path, with the references to the
// object it comes from.
type PathEdge struct {
	Type      string     `json:"type"`
	Edge      string     `json:"edge"`
	Object    Object     `json:"object"` // who refers
	Retainers []PathEdge `json:"retainers"`
	// Root is the reference from a root at the end of a path.
	Root *Reference `json:"root,omitempty"`
}

// PathStep is an object on a way from the root, with the reference that leads
// to it; the root itself has none.
type PathStep struct {
	Type   string `json:"type,omitempty"`
	Edge   string `json:"edge,omitempty"`
	Object Object `json:"object"`
}

func (v *PathsView) normal() any {
	c := *v
	c.ViewHead = v.ViewHead.normal()
	c.Reached = notNil(v.Reached)
	c.Paths = normalPaths(v.Paths)
	c.Shortest = notNil(v.Shortest)
	return c
}

func normalPaths(paths []PathEdge) []PathEdge {
	all := make([]PathEdge, len(paths))
	for i, e := range paths {
		all[i] = e
		all[i].Retainers = normalPaths(e.Retainers)
	}
	return all
}

// DominatedView is the result of `heapsnap dominated`.
type DominatedView struct {
	ViewHead
	Object     Object   `json:"object"`
	Dominators []Object `json:"dominators"`     // the immediate one first, the root last
	Count      int      `json:"dominatedCount"` // objects that it dominates immediately
	Skipped    int      `json:"skipped"`
	Dominated  []Object `json:"dominated"` // largest retained size first
}

func (v *DominatedView) normal() any {
	c := *v
	c.ViewHead = v.ViewHead.normal()
	c.Dominators, c.Dominated = notNil(v.Dominators), notNil(v.Dominated)
	return c
}

// StringsView is the result of `heapsnap strings`.
type StringsView struct {
	ViewHead
	Total   StringTotal   `json:"total"` // of all groups, those that are not in the list too
	Sort    string        `json:"sort"`
	Skipped int           `json:"skipped"` // groups before the first of the list
	Groups  []StringGroup `json:"groups"`
}

// StringTotal sums up groups of equal strings. Bytes are counted once, also
// where ropes hold each other.
type StringTotal struct {
	Groups    int    `json:"groups"`
	Count     int    `json:"count"`
	Retained  uint64 `json:"retainedBytes"`
	Wasted    uint64 `json:"wastedBytes"`    // by texts that are certainly the same
	Uncertain uint64 `json:"uncertainBytes"` // by those that may differ where the snapshot does not show
}

// StringGroup are strings of one text.
type StringGroup struct {
	Text     string   `json:"text"`
	Length   int      `json:"length"`        // in UTF-16 units; of the text here unless V8 said more
	Cut      bool     `json:"cut"`           // the snapshot has the beginning only
	Certain  bool     `json:"certain"`       // no part of the text is missing
	Count    int      `json:"count"`         // strings in the heap
	Self     uint64   `json:"selfBytes"`     // of all of them
	Retained uint64   `json:"retainedBytes"` // sum, as DevTools has it: ropes that hold each other count twice
	Smallest uint64   `json:"smallestBytes"` // retained by the smallest
	Largest  uint64   `json:"largestBytes"`  // retained by the largest
	Wasted   uint64   `json:"wastedBytes"`   // retained by all together but not by the largest
	Objects  []uint64 `json:"objects"`       // ids of the first ones
}

func (v *StringsView) normal() any {
	c := *v
	c.ViewHead = v.ViewHead.normal()
	c.Groups = notNil(append([]StringGroup(nil), v.Groups...))
	for i := range c.Groups {
		c.Groups[i].Objects = notNil(c.Groups[i].Objects)
	}
	return c
}
