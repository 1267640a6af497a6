package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"heapsnap/internal/textgraph"
)

// lookingAround are the commands that read one snapshot, on heapGraph.
var lookingAround = []string{
	"summary a.heapsnapshot", "summary a.heapsnapshot --format json", "show a.heapsnapshot @13", "retainers a.heapsnapshot 13 --weak",
	"paths a.heapsnapshot @13 --format json", "paths a.heapsnapshot @29", "paths a.heapsnapshot @13 --shortest", "paths a.heapsnapshot @17",
	"dominated a.heapsnapshot @1", "strings a.heapsnapshot --format json", "strings a.heapsnapshot --sort wasted",
	"export a.heapsnapshot", "export a.heapsnapshot --table edges --format ndjson", "export a.heapsnapshot --table classes",
	"export a.heapsnapshot --table strings", "show a.heapsnapshot @14",
}

// newCache gives the commands of a test an index of their own.
func newCache(t *testing.T) (folder string) {
	t.Helper()
	cache := filepath.Join(t.TempDir(), "cache")
	t.Setenv("XDG_CACHE_HOME", cache)
	return filepath.Join(cache, "heapsnap")
}

func indexFiles(t *testing.T, folder string) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(folder, "*"))
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// What a command prints does not depend on the index: without one, when it
// makes it, when it uses it, and when it is damaged.
func TestIndexedCommands(t *testing.T) {
	folder := newCache(t)
	dir := t.TempDir()
	writeGraph(t, dir, "a.heapsnapshot", heapGraph)
	want := map[string]result{}
	for _, args := range lookingAround {
		want[args] = heapsnapIn(t, dir, nil, append(strings.Fields(args), "--no-index")...)
		if args != "show a.heapsnapshot @14" && want[args].code != exitClean {
			t.Fatalf("heapsnap %s: %+v", args, want[args])
		}
	}
	if _, err := os.Stat(folder); err == nil {
		t.Errorf("--no-index wrote %q", indexFiles(t, folder))
	}
	same := func(when string) {
		t.Helper()
		for _, args := range lookingAround {
			if got := heapsnapIn(t, dir, nil, strings.Fields(args)...); got != want[args] {
				t.Errorf("%s: heapsnap %s = %+v, want %+v", when, args, got, want[args])
			}
		}
	}
	same("the first time")
	files := indexFiles(t, folder)
	if len(files) < 4 {
		t.Fatalf("files %q, want a graph, a summary, strings and paths", files)
	}
	same("the second time")
	for i, damage := range []func(text []byte) []byte{
		func(text []byte) []byte { text[len(text)/2] ^= 1; return text },
		func(text []byte) []byte { text[len(text)-1] ^= 0x80; return text },
		func(text []byte) []byte { text[9]++; return text },
		func(text []byte) []byte { return text[:len(text)/2] },
		func(text []byte) []byte { return nil },
	} {
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, damage(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		same("damaged")
		if i == 0 {
			for _, file := range files {
				if err := os.Remove(file); err != nil {
					t.Fatal(err)
				}
			}
			same("deleted")
		}
	}
	// No index, and not a word, where it cannot be.
	if err := os.RemoveAll(folder); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(folder, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	same("the folder is a file")
	t.Setenv("XDG_CACHE_HOME", "relative")
	same("no folder")
}

func TestIndexNotOfStdin(t *testing.T) {
	folder := newCache(t)
	dir := t.TempDir()
	writeGraph(t, dir, "a.heapsnapshot", heapGraph)
	data := textgraph.Snapshot(t, heapGraph)
	for _, args := range []string{"summary -", "show - @13", "strings a.heapsnapshot --salvage", "summary a.heapsnapshot --salvage", "diff a.heapsnapshot a.heapsnapshot"} {
		heapsnapIn(t, dir, bytes.NewReader(data), strings.Fields(args)...)
	}
	if files := indexFiles(t, folder); len(files) != 0 {
		t.Errorf("files %q", files)
	}
}

func TestIndexOfConcurrentCommands(t *testing.T) {
	folder := newCache(t)
	dir := t.TempDir()
	writeGraph(t, dir, "a.heapsnapshot", heapGraph)
	want := map[string]result{}
	for _, args := range lookingAround {
		want[args] = heapsnapIn(t, dir, nil, append(strings.Fields(args), "--no-index")...)
	}
	var wg sync.WaitGroup
	for range 2 {
		for _, args := range lookingAround {
			wg.Go(func() {
				if got := heapsnapIn(t, dir, nil, strings.Fields(args)...); got != want[args] {
					t.Errorf("heapsnap %s = %+v, want %+v", args, got, want[args])
				}
			})
		}
	}
	wg.Wait()
	for _, file := range indexFiles(t, folder) {
		if strings.HasSuffix(file, ".partial") {
			t.Errorf("%s is left", file)
		}
	}
}
