package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"heapsnap/fixtures"
	"heapsnap/internal/nodes"
	"heapsnap/report"
)

// series lets the program of a fixture do rounds of its work and writes a
// snapshot after the warm-up and after each round. It returns their names.
func series(t *testing.T, dir string, p fixtures.Program, rounds int) []string {
	t.Helper()
	all := nodes.All(t)
	program := filepath.Join(dir, p.File())
	if err := os.WriteFile(program, p.Source, 0o600); err != nil {
		t.Fatal(err)
	}
	var names []string
	for i := range rounds + 1 {
		names = append(names, string(rune('a'+i))+".heapsnapshot")
	}
	quoted, err := json.Marshal(append([]string{program}, names...))
	if err != nil {
		t.Fatal(err)
	}
	driver := `
const [program, ...files] = ` + string(quoted) + `;
require(program);
(async () => {
  for (let i = 0; i < 3; i++) await globalThis.load();
  for (const [i, file] of files.entries()) {
    if (i > 0) await globalThis.load();
    for (let j = 0; j < 3; j++) { gc(); await new Promise((resolve) => setTimeout(resolve, 20)); }
    require('node:v8').writeHeapSnapshot(file);
  }
  process.exit(0);
})();`
	cmd := exec.Command(all[len(all)-1].Path, "--expose-gc", "-e", driver)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return names
}

func TestDiffFindsTheLineAndIsSilentAboutItsRepair(t *testing.T) {
	f, ok := fixtures.Find("listener")
	if !ok {
		t.Fatal("the fixture listener is gone")
	}
	dir := t.TempDir()
	args := append([]string{"diff"}, series(t, dir, f.Leak, 3)...)
	args = append(args, "-o", "json=r.json", "-o", "svg=growth.svg", "-o", "png=growth.png")
	r := heapsnapIn(t, dir, nil, args...)
	if r.code != exitFindings || !strings.HasPrefix(r.out, "LEAK") {
		t.Fatalf("code %d, stdout %s, stderr %q", r.code, r.out, r.errors)
	}
	raw, err := os.ReadFile(filepath.Join(dir, "r.json"))
	if err != nil {
		t.Fatal(err)
	}
	var got report.Report
	if err := json.Unmarshal(raw, &got); err != nil {
		t.Fatal(err)
	}
	if len(got.Findings) == 0 || got.Findings[0].Location == nil || !f.Guilty(got.Findings[0].Location.Line) {
		t.Errorf("no finding on the guilty line %d:\n%s", f.Where().Line, r.out)
	}
	for name, begins := range map[string]string{"growth.svg": "<?xml", "growth.png": "\x89PNG"} {
		if b, err := os.ReadFile(filepath.Join(dir, name)); err != nil || !bytes.HasPrefix(b, []byte(begins)) {
			t.Errorf("%s: %.20q, %v", name, b, err)
		}
	}

	dir = t.TempDir()
	r = heapsnapIn(t, dir, nil, append([]string{"diff"}, series(t, dir, f.Fixed, 3)...)...)
	if r.code != exitClean || !strings.HasPrefix(r.out, "CLEAN") {
		t.Errorf("the repaired program: code %d, stdout %s, stderr %q", r.code, r.out, r.errors)
	}
}

func TestTwoSnapshotsAreInconclusive(t *testing.T) {
	r := heapsnapIn(t, inputs(t), nil, "diff", "good.heapsnapshot", "good.heapsnapshot.gz")
	if r.code != exitInconclusive || !strings.HasPrefix(r.out, "INCONCLUSIVE") || r.errors != "" {
		t.Errorf("code %d, stdout %s, stderr %q", r.code, r.out, r.errors)
	}
}
