package livetest

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// clockTick is USER_HZ, which is 100 on every Linux that Go runs on.
const clockTick = 10 * time.Millisecond

// ownCPU follows the processor time of a process until it has ended. What wait(2) says of a process has that of its
// children in it; /proc/PID/stat has it apart, and is gone with the process, so it is read again and again.
func ownCPU(pid int, ended <-chan struct{}) (used time.Duration) {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ended:
			return used
		case <-tick.C:
		}
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			continue
		}
		// The name, in parentheses, may have spaces; utime and stime are the 14th and 15th field, counted from 1.
		_, rest, _ := strings.Cut(string(text), ") ")
		f := strings.Fields(rest)
		if len(f) < 13 {
			continue
		}
		user, err1 := strconv.Atoi(f[11])
		system, err2 := strconv.Atoi(f[12])
		if err1 == nil && err2 == nil {
			used = time.Duration(user+system) * clockTick
		}
	}
}
