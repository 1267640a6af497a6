// Package sourcemap leads from a line of a compiled script back to the line
// that a person wrote: TypeScript, bundles, minified code.
//
// The format is ECMA-426 (source map, version 3), index maps included. It is
// read by ourselves because the one Go library for it (go-sourcemap 2.1.4)
// shifts the columns of an index map's later lines and trusts its indexes.
package sourcemap

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// A Map is a source map. It is safe for concurrent use.
type Map struct {
	sources  []string
	contents []string // of sources, "" if the map has none
	names    []string
	mappings []mapping // by line, then column
}

// A mapping is where a stretch of the compiled line comes from; it ends where
// the next begins. Lines and columns count from 0.
type mapping struct {
	line, column             uint32
	source                   int32 // -1: nobody wrote this stretch
	sourceLine, sourceColumn uint32
	name                     int32 // -1 for none
}

// A Position is a place in a source that a person wrote.
type Position struct {
	Source string // as the map has it, or as [Load] resolved it
	Line   int    // from 1
	Column int    // from 1, in UTF-16 units
	Name   string // what is called so there, if the map knows
}

// Limits of what is read: a map is a file of somebody's.
const (
	maxMappings = 50_000_000
	maxSections = 100_000
)

type document struct {
	Version        json.Number `json:"version"`
	SourceRoot     string      `json:"sourceRoot"`
	Sources        []*string   `json:"sources"`
	SourcesContent []*string   `json:"sourcesContent"`
	Names          []any       `json:"names"` // some tools write numbers
	Mappings       string      `json:"mappings"`
	Sections       []struct {
		Offset struct {
			Line   uint32 `json:"line"`
			Column uint32 `json:"column"`
		} `json:"offset"`
		Map *document `json:"map"`
	} `json:"sections"`
}

// Parse reads a source map's JSON.
func Parse(data []byte) (*Map, error) {
	// Against inclusion as a script the text may begin with a line )]}'.
	if rest, ok := strings.CutPrefix(string(data[:min(len(data), 4)]), ")]}"); ok && len(rest) <= 1 {
		if _, after, found := strings.Cut(string(data), "\n"); found {
			data = []byte(after)
		}
	}
	var doc document
	if err := json.Unmarshal(data, &doc); err != nil {
		return nil, fmt.Errorf("source map: %w", err)
	}
	m := &Map{}
	if err := m.add(&doc, 0, 0, true); err != nil {
		return nil, fmt.Errorf("source map: %w", err)
	}
	// Columns of a line may come in any order.
	slices.SortStableFunc(m.mappings, func(a, b mapping) int {
		return cmp.Or(cmp.Compare(a.line, b.line), cmp.Compare(a.column, b.column))
	})
	return m, nil
}

// add appends a map whose first line and column are at the given ones.
func (m *Map) add(doc *document, line, column uint32, sections bool) error {
	if v := doc.Version.String(); v != "3" && (v != "" || !sections) {
		return fmt.Errorf("version is %q, want 3", v)
	}
	if sections && doc.Sections != nil {
		if len(doc.Sections) > maxSections {
			return fmt.Errorf("%d sections, at most %d are read", len(doc.Sections), maxSections)
		}
		for _, s := range doc.Sections {
			if s.Map == nil {
				return errors.New("a section has no map")
			}
			if err := m.add(s.Map, s.Offset.Line, s.Offset.Column, false); err != nil {
				return err
			}
		}
		return nil
	}
	firstSource, firstName := len(m.sources), len(m.names)
	for i, source := range doc.Sources {
		name, content := "", ""
		if source != nil {
			name = *source
		}
		if doc.SourceRoot != "" && name != "" {
			name = strings.TrimSuffix(doc.SourceRoot, "/") + "/" + name
		}
		if i < len(doc.SourcesContent) && doc.SourcesContent[i] != nil {
			content = *doc.SourcesContent[i]
		}
		m.sources, m.contents = append(m.sources, name), append(m.contents, content)
	}
	for _, name := range doc.Names {
		m.names = append(m.names, fmt.Sprint(name))
	}
	d := decoder{text: doc.Mappings}
	return d.mappings(func(at mapping) error {
		if at.source >= int32(len(doc.Sources)) || at.name >= int32(len(doc.Names)) {
			return fmt.Errorf("a mapping refers to source %d and name %d of %d and %d", at.source, at.name, len(doc.Sources), len(doc.Names))
		}
		if len(m.mappings) == maxMappings {
			return fmt.Errorf("more than %d mappings", maxMappings)
		}
		if at.line == 0 { // only the first line of a section is moved sideways
			at.column += column
		}
		at.line += line
		if at.source >= 0 {
			at.source += int32(firstSource)
		}
		if at.name >= 0 {
			at.name += int32(firstName)
		}
		m.mappings = append(m.mappings, at)
		return nil
	})
}

// Original returns where the character at a line and column of the compiled
// script, both from 1, was written. It is false where the map says nothing, or
// that nobody wrote it.
func (m *Map) Original(line, column int) (Position, bool) {
	if line < 1 || column < 1 {
		return Position{}, false
	}
	at, found := slices.BinarySearchFunc(m.mappings, [2]uint32{uint32(line - 1), uint32(column - 1)}, func(a mapping, b [2]uint32) int {
		return cmp.Or(cmp.Compare(a.line, b[0]), cmp.Compare(a.column, b[1]))
	})
	if !found {
		at-- // the stretch that it stands in
	}
	if at < 0 || m.mappings[at].line != uint32(line-1) || m.mappings[at].source < 0 {
		return Position{}, false
	}
	from := m.mappings[at]
	p := Position{Source: m.sources[from.source], Line: int(from.sourceLine) + 1, Column: int(from.sourceColumn) + 1}
	if from.name >= 0 {
		p.Name = m.names[from.name]
	}
	return p, true
}

// Content returns the text of a source, if the map brings it along.
func (m *Map) Content(source string) (string, bool) {
	i := slices.Index(m.sources, source)
	if i < 0 || m.contents[i] == "" {
		return "", false
	}
	return m.contents[i], true
}

// decoder reads the field "mappings": lines end at ";", mappings at ",", and
// the numbers of one are differences in base 64 (VLQ).
type decoder struct {
	text string
	pos  int
}

func (d *decoder) mappings(emit func(mapping) error) error {
	var line, column, source, sourceLine, sourceColumn, name int64
	for d.pos < len(d.text) {
		switch d.text[d.pos] {
		case ';':
			d.pos++
			line++
			column = 0
			continue
		case ',':
			d.pos++
			continue
		}
		var field [5]int64
		n := 0
		for ; d.pos < len(d.text) && d.text[d.pos] != ',' && d.text[d.pos] != ';'; n++ {
			v, err := d.number()
			if err != nil {
				return err
			}
			if n < len(field) {
				field[n] = v
			}
		}
		column += field[0]
		at := mapping{line: uint32(line), column: uint32(column), source: -1, name: -1}
		switch n {
		case 1:
		case 4, 5:
			source, sourceLine, sourceColumn = source+field[1], sourceLine+field[2], sourceColumn+field[3]
			at.source, at.sourceLine, at.sourceColumn = int32(source), uint32(sourceLine), uint32(sourceColumn)
			if n == 5 {
				name += field[4]
				at.name = int32(name)
			}
		default:
			return fmt.Errorf("a mapping of %d numbers before character %d, want 1, 4 or 5", n, d.pos)
		}
		const limit = 1<<31 - 1
		if min(column, source, sourceLine, sourceColumn, name) < 0 || max(line, column, source, sourceLine, sourceColumn, name) > limit {
			return fmt.Errorf("a mapping before character %d leads out of its file", d.pos)
		}
		if err := emit(at); err != nil {
			return err
		}
	}
	return nil
}

// number reads one number: 5 bits a digit, least first, the lowest of all is
// the sign.
func (d *decoder) number() (int64, error) {
	var v int64
	for shift := 0; d.pos < len(d.text); shift += 5 {
		digit := digits[d.text[d.pos]]
		if digit < 0 || shift > 30 {
			return 0, fmt.Errorf("%q at character %d of the mappings is no number", d.text[d.pos], d.pos)
		}
		d.pos++
		v |= int64(digit&31) << shift
		if digit < 32 {
			if v&1 != 0 {
				return -(v >> 1), nil
			}
			return v >> 1, nil
		}
	}
	return 0, errors.New("the mappings end within a number")
}

var digits = func() (of [256]int8) {
	for i := range of {
		of[i] = -1
	}
	for i, c := range "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/" {
		of[c] = int8(i)
	}
	return of
}()
