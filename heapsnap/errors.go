package heapsnap

import (
	"errors"
	"fmt"
)

// A SyntaxError says where the input stopped being a heap snapshot.
type SyntaxError struct {
	Section string // "header", "nodes", "edges", "locations", "strings", ...
	Offset  int64  // byte in the uncompressed input
	Want    string // what belongs there
	Got     string // what was found
}

func (e *SyntaxError) Error() string {
	return fmt.Sprintf("%s: at byte %d: want %s, got %s", e.Section, e.Offset, e.Want, e.Got)
}

// ErrTruncated is wrapped by the SyntaxError of an input that ends too early,
// as a file does whose writer was killed.
var ErrTruncated = errors.New("the input ends too early")

// A truncatedError is a SyntaxError that is also ErrTruncated.
type truncatedError struct{ SyntaxError }

func (e *truncatedError) Unwrap() []error { return []error{&e.SyntaxError, ErrTruncated} }

func truncated(section string, offset int64, want string) error {
	return &truncatedError{SyntaxError{section, offset, want, "the end of the input (cut short: was its writer killed?)"}}
}
