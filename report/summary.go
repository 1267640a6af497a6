package report

// Summary is the result of `heapsnap summary`: DevTools' Summary and
// Statistics views of one snapshot.
type Summary struct {
	Head
	Capture    Capture    `json:"capture"`
	Nodes      int        `json:"nodes"`
	Edges      int        `json:"edges"`
	Total      uint64     `json:"totalBytes"`
	Statistics Statistics `json:"statistics"`
	Classes    []Class    `json:"classes"` // by retained size, largest first
	Warnings   []string   `json:"warnings"`
}

// Statistics are the figures of DevTools' Statistics view, in bytes.
type Statistics struct {
	Native     uint64 `json:"native"`
	TypedArray uint64 `json:"typedArrays"`
	Code       uint64 `json:"code"`
	Strings    uint64 `json:"strings"`
	Arrays     uint64 `json:"jsArrays"`
	System     uint64 `json:"system"`
	Other      uint64 `json:"other"` // everything else in the V8 heap
}

// Class is one row of DevTools' Summary view.
type Class struct {
	Name     string `json:"class"`
	Count    int    `json:"count"`
	Shallow  uint64 `json:"shallowBytes"`
	Retained uint64 `json:"retainedBytes"`
	Distance int    `json:"distance"` // -1 where DevTools prints a dash
}

// Normalize sets the schema and replaces nil slices.
func (s *Summary) Normalize() {
	s.Schema = SchemaVersion
	s.Classes = notNil(s.Classes)
	s.Warnings = notNil(s.Warnings)
}
