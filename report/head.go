package report

// Head is what every result begins with.
type Head struct {
	Schema  int    `json:"schema"`  // version of this format, set when the result is written
	Command string `json:"command"` // that made the result
	Version string `json:"version"` // of heapsnap
}
