package cdp

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"sort"
	"strconv"
	"strings"
)

// procFS reads a Linux /proc and /sys below a root, "/" but in tests.
type procFS struct{ root string }

func (f procFS) path(name string) string {
	root := f.root
	if root == "" {
		root = "/"
	}
	return filepath.Join(root, name)
}

func (f procFS) of(pid int, name string) string {
	return f.path(filepath.Join("proc", strconv.Itoa(pid), name))
}

func (f procFS) read(name string) (string, error) {
	b, err := os.ReadFile(f.path(name))
	return string(b), err
}

// pids lists the processes in ascending order.
func (f procFS) pids() ([]int, error) {
	entries, err := os.ReadDir(f.path("proc"))
	if err != nil {
		return nil, fmt.Errorf("list processes: %w: name the target by its port", err)
	}
	var pids []int
	for _, e := range entries {
		if pid, err := strconv.Atoi(e.Name()); err == nil {
			pids = append(pids, pid)
		}
	}
	sort.Ints(pids)
	return pids, nil
}

// status is the part of /proc/PID/status that matters here.
type status struct {
	ppid    int
	caught  uint64 // SigCgt: bit n-1 is signal n
	blocked uint64 // SigBlk
	zombie  bool
}

// sigUSR1 is 10 on every Linux architecture that Node.js runs on.
const sigUSR1 = 10

func (s status) catchesUSR1() bool { return s.caught>>(sigUSR1-1)&1 == 1 }
func (s status) blocksUSR1() bool  { return s.blocked>>(sigUSR1-1)&1 == 1 }

func (f procFS) status(pid int) (status, error) {
	b, err := os.ReadFile(f.of(pid, "status"))
	if err != nil {
		return status{}, err
	}
	var s status
	for line := range strings.Lines(string(b)) {
		key, value, _ := strings.Cut(line, ":")
		value = strings.TrimSpace(value)
		switch key {
		case "PPid":
			s.ppid, _ = strconv.Atoi(value)
		case "SigCgt":
			s.caught, _ = strconv.ParseUint(value, 16, 64)
		case "SigBlk":
			s.blocked, _ = strconv.ParseUint(value, 16, 64)
		case "State":
			s.zombie = strings.HasPrefix(value, "Z") || strings.HasPrefix(value, "X")
		}
	}
	return s, nil
}

// args is the command line; a program that sets process.title overwrites it.
func (f procFS) args(pid int) []string {
	b, _ := os.ReadFile(f.of(pid, "cmdline"))
	b = bytes.TrimRight(b, "\x00")
	if len(b) == 0 {
		return nil
	}
	return strings.Split(string(b), "\x00")
}

// env is the value of the variable at the start of the process, if readable.
func (f procFS) env(pid int, name string) string {
	b, _ := os.ReadFile(f.of(pid, "environ"))
	for kv := range bytes.SplitSeq(b, []byte{0}) {
		if v, ok := bytes.CutPrefix(kv, []byte(name+"=")); ok {
			return string(v)
		}
	}
	return ""
}

var nodeName = regexp.MustCompile(`^node(js)?[-v0-9.]*$`)

// program is the name of the executable: of the file if that is readable, else
// of what the process calls itself.
func (f procFS) program(pid int) string {
	if exe, err := os.Readlink(f.of(pid, "exe")); err == nil {
		return filepath.Base(strings.TrimSuffix(exe, " (deleted)"))
	}
	if args := f.args(pid); len(args) > 0 && args[0] != "" {
		return filepath.Base(args[0])
	}
	comm, _ := os.ReadFile(f.of(pid, "comm"))
	return strings.TrimSpace(string(comm))
}

func (f procFS) isNode(pid int) bool { return nodeName.MatchString(f.program(pid)) }

// listener is a listening TCP socket.
type listener struct {
	addr  netip.AddrPort
	inode string
}

// dial is the address at which this machine reaches the listener.
func (l listener) dial() netip.AddrPort {
	a := l.addr.Addr().Unmap()
	if a.IsUnspecified() {
		if a.Is4() {
			a = netip.AddrFrom4([4]byte{127, 0, 0, 1})
		} else {
			a = netip.IPv6Loopback()
		}
	}
	return netip.AddrPortFrom(a, l.addr.Port())
}

// listeners are all listening sockets in the process's network namespace.
func (f procFS) listeners(pid int) []listener {
	var all []listener
	for _, name := range []string{"net/tcp", "net/tcp6"} {
		b, err := os.ReadFile(f.of(pid, name))
		if err != nil {
			continue // tcp6 is missing where IPv6 is off
		}
		sc := bufio.NewScanner(bytes.NewReader(b))
		sc.Scan() // the heading
		for sc.Scan() {
			// sl local_address rem_address st queues tr retrnsmt uid timeout inode
			cols := strings.Fields(sc.Text())
			if len(cols) < 10 || cols[3] != "0A" {
				continue
			}
			if addr, ok := parseSocketAddr(cols[1]); ok {
				all = append(all, listener{addr, cols[9]})
			}
		}
	}
	return all
}

// parseSocketAddr reads "0100007F:240D": 32-bit words in the machine's order.
func parseSocketAddr(text string) (netip.AddrPort, bool) {
	host, port, ok := strings.Cut(text, ":")
	if !ok {
		return netip.AddrPort{}, false
	}
	raw, err := hex.DecodeString(host)
	n, perr := strconv.ParseUint(port, 16, 16)
	if err != nil || perr != nil || len(raw)%4 != 0 {
		return netip.AddrPort{}, false
	}
	for i := 0; i+4 <= len(raw); i += 4 {
		binary.NativeEndian.PutUint32(raw[i:], binary.BigEndian.Uint32(raw[i:]))
	}
	a, ok := netip.AddrFromSlice(raw)
	return netip.AddrPortFrom(a, uint16(n)), ok
}

// sockets are the inodes of the process's open sockets.
func (f procFS) sockets(pid int) (map[string]bool, error) {
	dir := f.of(pid, "fd")
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	inodes := map[string]bool{}
	for _, e := range entries {
		link, err := os.Readlink(filepath.Join(dir, e.Name()))
		if err != nil {
			continue // closed since
		}
		if inode, ok := strings.CutPrefix(link, "socket:["); ok {
			inodes[strings.TrimSuffix(inode, "]")] = true
		}
	}
	return inodes, nil
}

// ownListeners are the process's listening sockets.
func (f procFS) ownListeners(pid int) ([]listener, error) {
	mine, err := f.sockets(pid)
	if err != nil {
		return nil, err
	}
	var own []listener
	for _, l := range f.listeners(pid) {
		if mine[l.inode] {
			own = append(own, l)
		}
	}
	return own, nil
}

// owner is the process that has the socket open, 0 if that cannot be seen.
func (f procFS) owner(inode string) int {
	pids, err := f.pids()
	if err != nil {
		return 0
	}
	for _, pid := range pids {
		if mine, err := f.sockets(pid); err == nil && mine[inode] {
			return pid
		}
	}
	return 0
}

// sameNetwork reports whether the process's ports are reachable from here; it
// is true when that cannot be read.
func (f procFS) sameNetwork(pid int) bool {
	theirs, err := os.Readlink(f.of(pid, "ns/net"))
	if err != nil {
		return true
	}
	ours, err := os.Readlink(f.path("proc/self/ns/net"))
	return err != nil || ours == theirs
}

// descendants are the process and all its children, by /proc/PID/status.
func (f procFS) descendants(root int) map[int]bool {
	pids, err := f.pids()
	if err != nil {
		return map[int]bool{root: true}
	}
	parent := map[int]int{}
	for _, pid := range pids {
		if s, err := f.status(pid); err == nil {
			parent[pid] = s.ppid
		}
	}
	set := map[int]bool{}
	for _, pid := range pids {
		for p := pid; p > 0; p = parent[p] {
			if p == root {
				set[pid] = true
				break
			}
		}
	}
	return set
}

func gone(err error) bool   { return errors.Is(err, fs.ErrNotExist) }
func denied(err error) bool { return errors.Is(err, fs.ErrPermission) }
