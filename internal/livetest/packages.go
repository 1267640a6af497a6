package livetest

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// InstallPackages brings the npm packages that a folder's package-lock.json pins into its node_modules, which git
// ignores. Where that cannot be done it skips the test, or fails it if the packages have to be there.
func InstallPackages(t *testing.T, dir string, must bool) {
	t.Helper()
	cannot := t.Skipf
	if must {
		cannot = t.Fatalf
	}
	wanted, err := os.ReadFile(filepath.Join(dir, "package-lock.json"))
	if err != nil {
		t.Fatal(err)
	}
	stamp := filepath.Join(dir, "node_modules", ".installed")
	if got, err := os.ReadFile(stamp); err == nil && bytes.Equal(got, wanted) {
		return
	}
	if _, err := exec.LookPath("npm"); err != nil {
		cannot("npm is not on PATH; the programs in %s need packages", dir)
	}
	cmd := exec.CommandContext(t.Context(), "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		cannot("npm ci in %s does not work here (%v); its programs need packages\n%s", dir, err, out)
	}
	if err := os.WriteFile(stamp, wanted, 0o644); err != nil {
		t.Fatal(err)
	}
}
