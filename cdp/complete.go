package cdp

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// census counts what comes by of a snapshot's nodes and edges, and holds it to
// what its header promises: a snapshot that lost a part in a tunnel may still
// end as one does.
type census struct {
	section string // "": outside of nodes and edges
	key     []byte // the last bytes outside, in which a section's key is looked for
	numbers map[string]uint64
	open    bool // a number has begun in the section
}

var countedSections = []string{"nodes", "edges"}

func newCensus() *census { return &census{numbers: map[string]uint64{}} }

// add takes the next part of the text.
func (c *census) add(p []byte) {
	for len(p) > 0 && len(c.numbers) < len(countedSections)+1 {
		if c.section == "" {
			p = c.find(p)
			continue
		}
		end := bytes.IndexByte(p, ']')
		part := p
		if end >= 0 {
			part = p[:end]
		}
		c.numbers[c.section] += uint64(bytes.Count(part, []byte{','}))
		c.open = c.open || bytes.ContainsAny(part, "0123456789")
		if end < 0 {
			return
		}
		if c.open { // n numbers have n-1 commas between
			c.numbers[c.section]++
		}
		c.section, c.key, p = "", nil, p[end+1:]
		if len(c.numbers) == len(countedSections) {
			c.numbers["done"] = 1
		}
	}
}

// find looks for the key of a section that is counted, and returns what stands
// behind its bracket.
func (c *census) find(p []byte) []byte {
	const longest = 64 // a key, a colon, a bracket and what may stand between
	text := append(c.key, p...)
	for _, name := range countedSections {
		if _, seen := c.numbers[name]; seen {
			continue
		}
		at := bytes.Index(text, []byte(`"`+name+`":`))
		if at < 0 {
			continue
		}
		if open := bytes.IndexByte(text[at:], '['); open >= 0 {
			c.section, c.open = name, false
			c.numbers[name] = 0
			rest := len(text) - (at + open + 1)
			c.key = nil
			return p[len(p)-rest:]
		}
	}
	c.key = append([]byte(nil), text[max(0, len(text)-longest):]...)
	return nil
}

// check compares with the header, which is in head.
func (c *census) check(head []byte) error {
	var header struct {
		Meta struct {
			NodeFields []string `json:"node_fields"`
			EdgeFields []string `json:"edge_fields"`
		} `json:"meta"`
		NodeCount uint64 `json:"node_count"`
		EdgeCount uint64 `json:"edge_count"`
	}
	at := bytes.Index(head, []byte(`"snapshot":`))
	if at < 0 {
		return fmt.Errorf("it has no header")
	}
	if err := json.NewDecoder(bytes.NewReader(head[at+len(`"snapshot":`):])).Decode(&header); err != nil {
		return fmt.Errorf("its header: %w", err)
	}
	for _, s := range []struct {
		name string
		want uint64
	}{
		{"nodes", header.NodeCount * uint64(len(header.Meta.NodeFields))},
		{"edges", header.EdgeCount * uint64(len(header.Meta.EdgeFields))},
	} {
		if got := c.numbers[s.name]; got != s.want {
			return fmt.Errorf("%d numbers of %s came, the header promises %d", got, s.name, s.want)
		}
	}
	return nil
}
