package cdp

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"
)

func TestMeta(t *testing.T) {
	file := filepath.Join(t.TempDir(), "a.heapsnapshot")
	if _, err := ReadMeta(file); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("ReadMeta without one = %v", err)
	}
	want := Meta{
		Schema: metaSchema, NodeVersion: "v24.1.0", PID: 7, ThreadID: 2, Mode: "plain", Round: 3,
		Time: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Duration: 1500 * time.Millisecond,
		Nodes: 10, Bytes: 1 << 33, Before: &Memory{RSS: 5}, Settled: &Settled{Passes: 3, Quiet: true},
		Scripts: []Script{{ID: "65", URL: "file:///app/a.js", SourceMapURL: "a.js.map"}},
	}
	for range 2 { // the second replaces the first
		if err := want.Write(file); err != nil {
			t.Fatal(err)
		}
	}
	got, err := ReadMeta(file)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("ReadMeta = %+v, %v, want %+v", got, err, want)
	}
	left, _ := filepath.Glob(filepath.Join(filepath.Dir(file), "*"))
	if len(left) != 1 || left[0] != MetaPath(file) {
		t.Errorf("files = %v", left)
	}
	if err := want.Write(filepath.Join(t.TempDir(), "gone", "a.heapsnapshot")); err == nil {
		t.Error("Write into no directory = nil")
	}
	if err := os.WriteFile(MetaPath(file), []byte("{"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadMeta(file); err == nil {
		t.Error("ReadMeta of damage = nil")
	}
}
