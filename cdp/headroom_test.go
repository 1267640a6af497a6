package cdp

import (
	"errors"
	"io/fs"
	"strings"
	"testing"
)

// files is a /proc and /sys of literals.
type files map[string]string

func (f files) read(name string) (string, error) {
	if text, ok := f[name]; ok {
		return text, nil
	}
	return "", fs.ErrNotExist
}

func TestMemoryLeft(t *testing.T) {
	const host = "MemTotal: 9000000 kB\nMemAvailable:    4194304 kB\n" // 4 GiB
	for _, tt := range []struct {
		name  string
		pid   int
		files files
		have  uint64
		limit string
	}{
		{"nothing readable", 0, files{}, 0, ""},
		{"host only", 0, files{"/proc/meminfo": host}, 4 << 30, "host memory"},
		{"v2, file cache is room", 7, files{
			"/proc/meminfo":                     host,
			"/proc/7/cgroup":                    "0::/app\n",
			"/sys/fs/cgroup/app/memory.max":     "536870912\n",
			"/sys/fs/cgroup/app/memory.current": "500000000\n",
			"/sys/fs/cgroup/app/memory.stat":    "anon 1\ninactive_file 100000000\n",
		}, 536870912 - 400000000, "cgroup /app (512 MiB)"},
		{"v2, the parent is tighter", 7, files{
			"/proc/7/cgroup":                      "0::/pod/app\n",
			"/sys/fs/cgroup/pod/app/memory.max":   "max\n",
			"/sys/fs/cgroup/pod/memory.max":       "1000\n",
			"/sys/fs/cgroup/pod/memory.current":   "900\n",
			"/sys/fs/cgroup/pod/memory.high":      "950\n",
			"/sys/fs/cgroup/memory.max":           "5000\n",
			"/sys/fs/cgroup/memory.current":       "10\n",
			"/sys/fs/cgroup/pod/app/memory.stat":  "",
			"/sys/fs/cgroup/pod/app/memory.high":  "max",
			"/sys/fs/cgroup/pod/app/memory.other": "",
		}, 50, "cgroup /pod (0.0 MiB)"},
		{"in a container, its own group is the top", 0, files{
			"/proc/self/cgroup":             "0::/kubepods/pod1/c1\n",
			"/sys/fs/cgroup/memory.max":     "3000\n",
			"/sys/fs/cgroup/memory.current": "1000\n",
		}, 2000, "cgroup / (0.0 MiB)"},
		{"v1, limit over usage", 9, files{
			"/proc/meminfo":  host,
			"/proc/9/cgroup": "11:cpu,cpuacct:/x\n4:memory:/docker/a\n0::/docker/a\n",
			"/sys/fs/cgroup/memory/docker/a/memory.limit_in_bytes":    "1000\n",
			"/sys/fs/cgroup/memory/docker/a/memory.usage_in_bytes":    "5000\n",
			"/sys/fs/cgroup/memory/docker/memory.limit_in_bytes":      "9223372036854771712\n",
			"/sys/fs/cgroup/memory/docker/memory.usage_in_bytes":      "5000\n",
			"/sys/fs/cgroup/memory/docker/a/memory.soft_limit":        "1",
			"/proc/9/root/sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
		}, 0, "cgroup /docker/a (0.0 MiB)"},
		{"another container, seen through its root", 5, files{
			"/proc/5/cgroup":                            "0::/../c2\n",
			"/proc/5/root/sys/fs/cgroup/memory.max":     "8000\n",
			"/proc/5/root/sys/fs/cgroup/memory.current": "1000\n",
		}, 7000, "cgroup / (0.0 MiB)"},
	} {
		have, limit := memoryLeft(tt.files.read, tt.pid)
		if have != tt.have || limit != tt.limit {
			t.Errorf("%s: memoryLeft = %d, %q, want %d, %q", tt.name, have, limit, tt.have, tt.limit)
		}
	}
}

func TestHeadroom(t *testing.T) {
	// The measured program: 184 MB of heap, 4.5 million nodes, +2.1 to 2.3 GB. What
	// is short by a little is worse than what is over by more.
	h := estimate(Memory{HeapUsed: 184 << 20, NodeVersion: "v20.20.2"}, 0)
	if h.Need < 2100<<20 || h.Need > 4400<<20 {
		t.Errorf("Need = %s, measured 2.2 GB", size(h.Need))
	}
	// Of a heap that is mostly large objects there are few.
	large := estimate(Memory{HeapUsed: 184 << 20, LargeObjects: 160 << 20, NodeVersion: "v20.20.2"}, 0)
	if large.Need > h.Need/7 || large.Pause > h.Pause/7 {
		t.Errorf("with large objects Need = %s, Pause = %s", size(large.Need), large.Pause)
	}
	again := estimate(Memory{HeapUsed: 184 << 20, NodeVersion: "v20.20.2"}, h.Nodes)
	if again.Need >= h.Need/10 {
		t.Errorf("Need of a second capture = %s, the first one's memory is used again", size(again.Need))
	}
	h.Have, h.Limit = 512<<20, "cgroup /app (768 MiB)"
	err := h.Err()
	if !errors.Is(err, ErrNoHeadroom) || !strings.Contains(err.Error(), "cgroup /app (768 MiB) has 512 MiB left") {
		t.Errorf("Err = %v", err)
	}
	h.Have = h.Need
	if err := h.Err(); err != nil {
		t.Errorf("Err with enough = %v", err)
	}
	if err := (Headroom{Need: 1}).Err(); err != nil {
		t.Errorf("Err with unknown limits = %v, must not refuse", err)
	}
}
