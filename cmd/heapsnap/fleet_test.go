package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// deploy/analyse.sh on a store that is a folder.
func TestAnalyseScript(t *testing.T) {
	if testing.Short() {
		t.Skip("-short leaves out the analysis of two snapshots")
	}
	script, err := filepath.Abs("../../deploy/analyse.sh")
	if err != nil {
		t.Fatal(err)
	}
	bin, store, work := t.TempDir(), t.TempDir(), t.TempDir()
	// aws s3 ls --recursive s3://heaps/PREFIX lists keys; cp copies.
	const aws = `#!/bin/sh
path() { echo "$1" | sed "s|^s3://heaps/|$STORE/|"; }
case "$2" in
ls) cd "$STORE" && find "$(echo "$4" | sed 's|^s3://heaps/||')" -type f | while read -r f; do echo "2026-11-27 10:00:00 1 $f"; done ;;
cp) mkdir -p "$(dirname "$(path "$5")")" && cp "$(path "$4")" "$(path "$5")" ;;
*) exit 9 ;;
esac
`
	for name, text := range map[string]string{"aws": aws, "heapsnap": "#!/bin/sh\nexec " + binary + " \"$@\"\n"} {
		if err := os.WriteFile(filepath.Join(bin, name), []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.MkdirAll(filepath.Join(store, "day"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"capture-1.heapsnapshot.zst", "capture-3.heapsnapshot.zst"} {
		text, err := os.ReadFile(filepath.Join("../../fixtures/recorded", name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(store, "day", name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(store, "day", "broken.heapsnapshot"), []byte(`{"snapshot":`), 0o600); err != nil {
		t.Fatal(err)
	}
	run := func(index string, args ...string) (string, error) {
		cmd := exec.Command("sh", append([]string{script}, args...)...)
		cmd.Env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"), "STORE="+store, "TMPDIR="+work,
			"FROM=s3://heaps/day/", "TO=s3://heaps/results/", "JOB_COMPLETION_INDEX="+index)
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	if out, err := run("", "count"); err != nil || strings.TrimSpace(out) != "3" {
		t.Fatalf("count: %q, %v", out, err)
	}
	if out, err := run("0"); err == nil || !strings.Contains(out, "cut short") {
		t.Errorf("a broken snapshot: %q, %v, want a failure", out, err)
	}
	if out, err := run("2"); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if out, err := run("3"); err != nil || !strings.Contains(out, "there is no snapshot number 3") {
		t.Errorf("beyond the last: %q, %v", out, err)
	}
	for _, result := range []string{"summary.json", "suspects.json", "classes.parquet"} {
		text, err := os.ReadFile(filepath.Join(store, "results/day/capture-3.heapsnapshot.zst."+result))
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(result, ".json") && !json.Valid(text) || len(text) < 1000 {
			t.Errorf("%s: %d bytes: %.100s", result, len(text), text)
		}
	}
	if left, _ := os.ReadDir(work); len(left) > 0 {
		t.Errorf("%v is left in TMPDIR", left)
	}
}
