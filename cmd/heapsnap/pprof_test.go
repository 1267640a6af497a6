package main

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"heapsnap/heapsnap"
)

// What go tool pprof sums up is what the snapshot has, to the byte, and two
// profiles of one snapshot do not differ.
func TestPprofReadsWhatObjectsRetain(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: go builds its pprof")
	}
	files, err := filepath.Glob("../../fixtures/recorded/*.heapsnapshot.zst")
	if err != nil || len(files) < 2 {
		t.Fatal("no recorded snapshots", err)
	}
	for i := range files {
		if files[i], err = filepath.Abs(files[i]); err != nil {
			t.Fatal(err)
		}
	}
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	for name, file := range map[string]string{"first.pb": files[0], "again.pb.gz": files[0], "last.pb": files[len(files)-1]} {
		if r := heapsnapIn(t, dir, nil, "export", "--no-index", "--format", "pprof", "-o", path(name), file); r.code != 0 {
			t.Fatalf("exit %d: %s", r.code, r.errors)
		}
	}
	s, err := heapsnap.Open(context.Background(), files[0], heapsnap.Options{})
	if err != nil {
		t.Fatal(err)
	}
	top := func(args ...string) string {
		cmd := exec.Command("go", append([]string{"tool", "pprof", "-top", "-unit=B", "-nodefraction=0", "-nodecount=0"}, args...)...)
		text, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %v\n%s", args, err, text)
		}
		return string(text)
	}
	for _, name := range []string{"first.pb", "again.pb.gz"} {
		if out, want := top(path(name)), fmt.Sprintf("100%% of %dB total", s.Bytes()); !strings.Contains(out, want) {
			t.Errorf("%s: no %q in\n%.600s", name, want, out)
		}
	}
	if out := top("-diff_base", path("first.pb"), path("again.pb.gz")); !strings.Contains(out, "Showing nodes accounting for 0") {
		t.Errorf("a snapshot differs from itself:\n%.600s", out)
	}
	if out := top("-diff_base", path("first.pb"), path("last.pb")); strings.Contains(out, "Showing nodes accounting for 0") || !strings.Contains(out, "PriceFeed") {
		t.Errorf("the first and the last snapshot do not differ:\n%.600s", out)
	}
}
