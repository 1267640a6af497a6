package main

import (
	"debug/buildinfo"
	"debug/elf"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// What `make dist` has built (make dist-check): each binary is for the platform it
// is named by, needs no library, and is in the package that npm installs there.
func TestDist(t *testing.T) {
	dist := os.Getenv("HEAPSNAP_DIST")
	if dist == "" {
		t.Skip("HEAPSNAP_DIST is not set: make dist-check looks at what make dist has built")
	}
	dist, err := filepath.Abs(dist)
	if err != nil {
		t.Fatal(err)
	}
	oses, cpus := map[string]string{"windows": "win32"}, map[string]string{"amd64": "x64"}
	named := func(names map[string]string, name string) string {
		if other := names[name]; other != "" {
			return other
		}
		return name
	}
	tarball := func(pkg string) string {
		found, err := filepath.Glob(filepath.Join(dist, "npm", pkg+"-[0-9]*.tgz"))
		if err != nil || len(found) != 1 {
			t.Fatalf("tarballs of %s: %q, %v, want one", pkg, found, err)
		}
		return found[0]
	}
	optional := map[string]string{}
	binaries, err := filepath.Glob(filepath.Join(dist, "heapsnap-*"))
	if err != nil || len(binaries) == 0 {
		t.Fatalf("binaries in %s: %q, %v: make dist builds them", dist, binaries, err)
	}
	for _, binary := range binaries {
		name := strings.TrimSuffix(filepath.Base(binary), ".exe")
		goos, goarch, _ := strings.Cut(strings.TrimPrefix(name, "heapsnap-"), "-")
		info, err := buildinfo.ReadFile(binary)
		if err != nil {
			t.Fatal(err)
		}
		settings := map[string]string{}
		for _, s := range info.Settings {
			settings[s.Key] = s.Value
		}
		if settings["GOOS"] != goos || settings["GOARCH"] != goarch || settings["CGO_ENABLED"] != "0" || settings["-trimpath"] != "true" || (goos == "windows") != strings.HasSuffix(binary, ".exe") {
			t.Errorf("%s was built with %v", binary, settings)
		}
		if goos == "linux" {
			f, err := elf.Open(binary)
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range f.Progs {
				if p.Type == elf.PT_INTERP {
					t.Errorf("%s is linked dynamically", binary)
				}
			}
			f.Close()
		}
		pkg := "heapsnap-" + named(oses, goos) + "-" + named(cpus, goarch)
		optional[pkg] = "file:" + tarball(pkg)
		binaryInfo, packageInfo := stat(t, binary), stat(t, tarball(pkg))
		t.Logf("%-26s %5.1f MiB, npm package %5.1f MiB", filepath.Base(binary), mebibytes(binaryInfo), mebibytes(packageInfo))
	}

	empty := t.TempDir()
	manifest, err := json.Marshal(map[string]any{"private": true, "dependencies": map[string]string{"heapsnap": "file:" + tarball("heapsnap")}, "optionalDependencies": optional})
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"package.json": string(manifest),
		"leak.js":      "const kept = new Map();\nglobalThis.load = (n) => { kept.set(n, { n }); };\nsetInterval(() => {}, 1e6);\n",
	} {
		if err := os.WriteFile(filepath.Join(empty, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	run := func(args ...string) (string, int) {
		cmd := exec.Command(args[0], args[1:]...)
		cmd.Dir = empty
		out, err := cmd.CombinedOutput()
		if err != nil && cmd.ProcessState == nil {
			t.Fatalf("%q: %v", args, err)
		}
		return string(out), cmd.ProcessState.ExitCode()
	}
	if out, code := run("npm", "install", "--offline", "--ignore-scripts", "--no-audit", "--no-fund"); code != 0 {
		t.Fatalf("npm install: %d\n%s", code, out)
	}
	installed, err := filepath.Glob(filepath.Join(empty, "node_modules", "heapsnap-*"))
	own := "heapsnap-" + named(oses, runtime.GOOS) + "-" + named(cpus, runtime.GOARCH)
	if err != nil || len(installed) != 1 || filepath.Base(installed[0]) != own {
		t.Errorf("installed %q, %v, want %s only", installed, err, own)
	}
	out, code := run("npx", "--offline", "heapsnap", "check", "--load-fn", "load", "--", "node", "leak.js")
	if code != exitFindings || !strings.Contains(out, "leak.js:2") {
		t.Errorf("npx heapsnap check: %d, want %d and the line\n%s", code, exitFindings, out)
	}

	for _, name := range []string{"man/heapsnap.1", "man/heapsnap-check.1", "completion/heapsnap.bash", "completion/heapsnap.zsh", "completion/heapsnap.fish", "completion/heapsnap.powershell"} {
		if stat(t, filepath.Join(dist, name)) == 0 {
			t.Errorf("%s is empty", name)
		}
	}
}

func stat(t *testing.T, name string) int64 {
	t.Helper()
	info, err := os.Stat(name)
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}

func mebibytes(n int64) float64 { return float64(n) / (1 << 20) }
