package heapsnap

import (
	"bufio"
	"fmt"
	"os"
	"strings"
	"testing"
	"unsafe"
)

func TestColumnsMayBeInHugePages(t *testing.T) {
	if _, err := os.Stat("/sys/kernel/mm/transparent_hugepage"); err != nil {
		t.Skip("this kernel has no huge pages for ordinary memory")
	}
	column := make([]uint32, 16<<20)
	at, size := uintptr(unsafe.Pointer(unsafe.SliceData(column))), uintptr(len(column))*4
	markHuge(at, size)
	for _, place := range []uintptr{0, size / 2, size - 1} {
		if flags := mappingFlags(t, at+place); !strings.Contains(flags, " hg ") {
			t.Errorf("byte %d of the column: mapping with flags%s, want hg", place, flags)
		}
	}
	column[0] = 1 // still reachable, and still writable
}

// mappingFlags returns VmFlags of the mapping that address is in, see proc_pid_smaps(5).
func mappingFlags(t *testing.T, address uintptr) string {
	t.Helper()
	f, err := os.Open("/proc/self/smaps")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	in := false
	for sc := bufio.NewScanner(f); sc.Scan(); {
		var from, end uintptr
		if n, _ := fmt.Sscanf(sc.Text(), "%x-%x ", &from, &end); n == 2 {
			in = from <= address && address < end
		} else if flags, ok := strings.CutPrefix(sc.Text(), "VmFlags:"); ok && in {
			return flags + " "
		}
	}
	t.Fatalf("no mapping of %#x", address)
	return ""
}
