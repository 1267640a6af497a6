package livetest

import (
	"os/exec"
	"strings"
	"testing"
)

func TestMain(m *testing.M) { Main(m) }

func TestBinaryIsHeapsnap(t *testing.T) {
	out, err := exec.Command(Binary(t, "version"), "--help").CombinedOutput()
	if err != nil || !strings.Contains(string(out), "heapsnap") {
		t.Errorf("heapsnap --help: %v\n%s", err, out)
	}
}
