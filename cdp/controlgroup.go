package cdp

import (
	"path"
	"slices"
	"strconv"
	"strings"
)

// ControlGroup is a control group of the kernel that a process is in, as a
// folder with its files.
type ControlGroup struct {
	Version int    // 1 or 2
	Name    string // in the hierarchy, whose top is /
	Folder  string
}

// groupMounts are where a version's hierarchy is mounted.
func groupMounts(version int) []string {
	if version == 1 {
		return []string{"/sys/fs/cgroup/memory"}
	}
	return []string{"/sys/fs/cgroup", "/sys/fs/cgroup/unified"}
}

// ControlGroups are those that limit the memory of a process, its own before
// those above it. Folders that are not there have to be passed over: in a
// container the name may be the host's while the container's own group is
// mounted at the top. read gives the text of a file; pid 0 is who reads.
func ControlGroups(read func(name string) (string, error), pid int) []ControlGroup {
	proc := "/proc/self"
	if pid > 0 {
		proc = "/proc/" + strconv.Itoa(pid)
	}
	text, err := read(proc + "/cgroup")
	if err != nil {
		return nil
	}
	var all []ControlGroup
	for line := range strings.Lines(text) {
		// "4:memory:/docker/0a1b" (version 1), "0::/system.slice/app.service" (2)
		cols := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(cols) != 3 {
			continue
		}
		var version int
		switch {
		case cols[0] == "0" && cols[1] == "":
			version = 2
		case slices.Contains(strings.Split(cols[1], ","), "memory"):
			version = 1
		default:
			continue
		}
		tops := groupMounts(version)
		if pid > 0 { // one in another container shows its mounts in its root
			for _, m := range groupMounts(version) {
				tops = append(tops, proc+"/root"+m)
			}
		}
		for _, top := range tops {
			for name := path.Clean("/" + cols[2]); ; name = path.Dir(name) {
				all = append(all, ControlGroup{version, name, path.Join(top, name)})
				if name == "/" {
					break
				}
			}
		}
	}
	return all
}
