package heapprofile

import (
	"heapsnap/sourcemap"
)

// SourceMaps gives an [Original] that reads the maps that scripts name. read
// returns the contents of a file; texts are those of scripts that are in no
// file, by URL.
func SourceMaps(read func(path string) ([]byte, error), texts map[string]string) Original {
	maps := map[string]*sourcemap.Map{}
	load := func(file string) *sourcemap.Map {
		if m, seen := maps[file]; seen {
			return m
		}
		maps[file] = nil
		text := []byte(nil)
		for url, t := range texts {
			if filePath(url) == file {
				text = []byte(t)
			}
		}
		if text == nil {
			var err error
			if text, err = read(file); err != nil {
				return nil
			}
		}
		if m, err := sourcemap.Load(file, text, read); err == nil {
			maps[file] = m
		}
		return maps[file]
	}
	return func(p Place) (Place, bool) {
		m := load(p.File)
		if m == nil {
			return p, false
		}
		at, ok := m.Original(p.Line, p.Column)
		if !ok {
			return p, false
		}
		return Place{Function: at.Name, File: at.Source, Line: at.Line, Column: at.Column}, true
	}
}
