package nodes

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// pretend writes a script that answers --version as a Node binary does.
func pretend(t *testing.T, path, version string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("#!/bin/sh\necho "+version+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
}

func TestChoose(t *testing.T) {
	installed := t.TempDir()
	for _, major := range []string{"8", "20", "26"} {
		pretend(t, filepath.Join(installed, major, binary), "v"+major+".1.2")
	}
	onPath := t.TempDir()
	pretend(t, filepath.Join(onPath, "node"), "v16.20.0")
	own := filepath.Join(t.TempDir(), "my-node")
	pretend(t, own, "v27.0.0-pre")
	empty := t.TempDir()

	tests := []struct {
		name, wanted, installed, path string
		want                          []string
	}{
		{"all installed, in order of number", "", installed, onPath, []string{"8.1.2", "20.1.2", "26.1.2"}},
		{"none installed, so PATH", "", empty, onPath, []string{"16.20.0"}},
		{"none at all", "", empty, empty, nil},
		{"majors", "26,20", installed, onPath, []string{"20.1.2", "26.1.2"}},
		{"a path and a name on PATH", own + ", node", installed, onPath, []string{"16.20.0", "27.0.0-pre"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Setenv("PATH", test.path)
			lines, err := choose(test.wanted, test.installed)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, n := range lines {
				got = append(got, n.Version)
				if !strings.HasPrefix(n.Version, fmt.Sprint(n.Major)+".") || !filepath.IsAbs(n.Path) {
					t.Errorf("choose gave %+v", n)
				}
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("choose(%q) = %v, want %v", test.wanted, got, test.want)
			}
		})
	}
}

func TestChooseNamesWhatIsMissing(t *testing.T) {
	_, err := choose("22", t.TempDir())
	if err == nil || !strings.Contains(err.Error(), `HEAPSNAP_NODES: "22"`) {
		t.Errorf("choose(22) = %v, want an error naming HEAPSNAP_NODES and 22", err)
	}
}

func TestAll(t *testing.T) {
	for _, n := range All(t) {
		t.Logf("%s is %s, %s", n, n.Version, n.Path)
	}
}
