// Package heapprofile is about sampling heap profiles: which calls made the
// objects that live. It reads and writes what V8's inspector gives and
// .heapprofile files have, sums it up by the program's own functions, compares
// two, and writes them for other tools.
//
// The types to know are [Profile] and [Site]. A profile knows the function that
// an object was made in, with the line where the function begins, and not the
// line inside it.
package heapprofile

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"time"
)

// Profile is a tree of calls with the bytes that each made. Sizes are estimates
// that V8 scales up from its samples.
type Profile struct {
	Head    *Node    `json:"head"`
	Samples []Sample `json:"samples,omitempty"`
	Info    *Info    `json:"heapsnap,omitempty"`
}

// Node is a function called from one place.
type Node struct {
	Frame    Frame   `json:"callFrame"`
	SelfSize float64 `json:"selfSize"`
	ID       int     `json:"id"`
	Children []*Node `json:"children"`
}

// Frame is where a function is written. Line and column are of its beginning,
// 0-based, and -1 for what has no source.
type Frame struct {
	Function string `json:"functionName"`
	ScriptID string `json:"scriptId"`
	URL      string `json:"url"`
	Line     int    `json:"lineNumber"`
	Column   int    `json:"columnNumber"`
}

// Sample is a size that a node made objects of.
type Sample struct {
	Size    float64 `json:"size"`
	NodeID  int     `json:"nodeId"`
	Ordinal float64 `json:"ordinal"`
}

// Info is what V8 does not say of a profile. Other tools pass it over.
type Info struct {
	Tool        string        `json:"tool,omitempty"`
	NodeVersion string        `json:"nodeVersion,omitempty"`
	Script      string        `json:"script,omitempty"`
	PID         int           `json:"pid,omitempty"`
	ThreadID    int           `json:"threadId,omitempty"`
	Started     time.Time     `json:"started,omitzero"`
	Duration    time.Duration `json:"durationNs,omitempty"`
	Interval    uint64        `json:"intervalBytes,omitempty"`
	Collected   bool          `json:"collected,omitempty"` // with what was collected meanwhile
}

// maxFile bounds a profile that is read: V8's have some megabytes.
const maxFile = 1 << 30

// Read reads a .heapprofile, plain or compressed with gzip.
func Read(r io.Reader) (*Profile, error) {
	in := bufio.NewReader(r)
	if head, _ := in.Peek(2); bytes.Equal(head, []byte{0x1f, 0x8b}) {
		z, err := gzip.NewReader(in)
		if err != nil {
			return nil, err
		}
		in = bufio.NewReader(z)
	}
	text, err := io.ReadAll(io.LimitReader(in, maxFile))
	if err != nil {
		return nil, err
	}
	return Parse(text)
}

// Parse reads the text of a .heapprofile.
func Parse(text []byte) (*Profile, error) {
	var p Profile
	if err := json.Unmarshal(text, &p); err != nil {
		return nil, fmt.Errorf("no sampling heap profile: %w", err)
	}
	if p.Head == nil {
		return nil, errors.New("no sampling heap profile: it has no head (a .cpuprofile has nodes, a .heapsnapshot a snapshot)")
	}
	for todo := []*Node{p.Head}; len(todo) > 0; {
		n := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if n.SelfSize < 0 || n.SelfSize > 1<<50 || math.IsNaN(n.SelfSize) {
			return nil, fmt.Errorf("no sampling heap profile: node %d has %g bytes", n.ID, n.SelfSize)
		}
		for i, c := range n.Children {
			if c == nil {
				return nil, fmt.Errorf("no sampling heap profile: child %d of node %d is null", i, n.ID)
			}
		}
		todo = append(todo, n.Children...)
	}
	return &p, nil
}

// Write writes p as a .heapprofile.
func (p *Profile) Write(w io.Writer) error {
	text, err := json.Marshal(p)
	if err != nil {
		return err
	}
	_, err = w.Write(append(text, '\n'))
	return err
}

// Bytes is the size of all objects in the profile.
func (p *Profile) Bytes() uint64 {
	var n float64
	for s := range p.stacks() {
		n += s.self
	}
	return uint64(n)
}

// stack is a node that made something, and the way to it.
type stack struct {
	frames []Frame // outermost call first; valid until the next one
	self   float64
}

// stacks yields the nodes that made something, the root's frame left out.
func (p *Profile) stacks() func(yield func(stack) bool) {
	return func(yield func(stack) bool) {
		type step struct {
			n     *Node
			depth int
		}
		var frames []Frame
		for todo := []step{{p.Head, 0}}; len(todo) > 0; {
			s := todo[len(todo)-1]
			todo = todo[:len(todo)-1]
			if s.depth > 0 {
				frames = append(frames[:s.depth-1], s.n.Frame)
			}
			if s.n.SelfSize > 0 && !yield(stack{frames[:s.depth], s.n.SelfSize}) {
				return
			}
			for i := len(s.n.Children) - 1; i >= 0; i-- {
				todo = append(todo, step{s.n.Children[i], s.depth + 1})
			}
		}
	}
}

// Name is the function's name, never empty.
func (f Frame) Name() string {
	if f.Function == "" {
		return "(anonymous)"
	}
	return f.Function
}

// File is the path that the URL is of, "" for V8's and Node's native code.
func (f Frame) File() string { return filePath(f.URL) }
