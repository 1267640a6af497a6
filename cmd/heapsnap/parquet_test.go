package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"heapsnap/internal/nodes"
)

// parquetReader is a folder with an independent reader of Parquet, from npm.
func parquetReader(t *testing.T) (node, script string) {
	t.Helper()
	all := nodes.All(t)
	npm, err := exec.LookPath("npm")
	if err != nil {
		t.Skip("npm is not on PATH; it brings a reader of Parquet")
	}
	dir, err := filepath.Abs("../../.cache/parquet")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	changed := false
	for _, name := range []string{"package.json", "read.mjs"} {
		want, err := os.ReadFile(filepath.Join("testdata/parquet", name))
		if err != nil {
			t.Fatal(err)
		}
		if got, _ := os.ReadFile(filepath.Join(dir, name)); !bytes.Equal(got, want) {
			changed = true
			if err := os.WriteFile(filepath.Join(dir, name), want, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "node_modules/hyparquet")); err != nil || changed {
		cmd := exec.Command(npm, "install", "--no-audit", "--no-fund", "--ignore-scripts", "--no-package-lock", "--loglevel=error")
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Skipf("npm install hyparquet: %v: %s", err, out)
		}
	}
	return all[len(all)-1].Path, filepath.Join(dir, "read.mjs")
}

// What another reader finds in the Parquet file are the rows of the NDJSON.
func TestParquetIsWhatOthersRead(t *testing.T) {
	node, script := parquetReader(t)
	snapshot, err := filepath.Abs("../../fixtures/recorded/capture-3.heapsnapshot.zst")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, table := range tableNames() {
		t.Run(table, func(t *testing.T) {
			export := func(format, file string) {
				t.Helper()
				if r := heapsnapIn(t, dir, nil, "export", snapshot, "--no-index", "--table", table, "--format", format, "-o", file); r.code != 0 {
					t.Fatalf("code %d, %s", r.code, r.errors)
				}
			}
			export("ndjson", table+".ndjson")
			export("parquet", table+".parquet")
			want, err := os.ReadFile(filepath.Join(dir, table+".ndjson"))
			if err != nil {
				t.Fatal(err)
			}
			cmd := exec.Command(node, script, filepath.Join(dir, table+".parquet"))
			var groups bytes.Buffer
			cmd.Stderr = &groups
			got, err := cmd.Output()
			if err != nil {
				t.Fatalf("%v: %s", err, groups.String())
			}
			wantRows, gotRows := strings.Split(strings.TrimSpace(string(want)), "\n"), strings.Split(strings.TrimSpace(string(got)), "\n")
			if len(wantRows) != len(gotRows) || len(gotRows) < 100 {
				t.Fatalf("%d rows, want %d", len(gotRows), len(wantRows))
			}
			if n, err := strconv.Atoi(strings.TrimSpace(groups.String())); err != nil || n != (len(gotRows)+groupRows-1)/groupRows {
				t.Errorf("%d rows are in %s row groups", len(gotRows), groups.String())
			}
			shown := 0
			for i := range wantRows {
				var w, g map[string]any
				if err := json.Unmarshal([]byte(wantRows[i]), &w); err != nil {
					t.Fatal(err)
				}
				if err := json.Unmarshal([]byte(gotRows[i]), &g); err != nil {
					t.Fatal(err)
				}
				if index, ok := w["name_or_index"].(float64); ok { // one type a column
					w["name_or_index"] = strconv.FormatFloat(index, 'f', -1, 64)
				}
				if !reflect.DeepEqual(w, g) && shown < 5 {
					shown++
					t.Errorf("row %d: %v, want %v", i, g, w)
				}
			}
		})
	}
}
