package cdp

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// fakeProc is a /proc of literals below a directory of the test's own.
type fakeProc struct {
	t *testing.T
	procFS
}

func newFakeProc(t *testing.T) fakeProc {
	p := fakeProc{t, procFS{t.TempDir()}}
	p.write("proc/self/status", "")
	return p
}

func (p fakeProc) write(name, text string) {
	p.t.Helper()
	path := p.path(name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		p.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		p.t.Fatal(err)
	}
}

func (p fakeProc) link(name, to string) {
	p.t.Helper()
	path := p.path(name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		p.t.Fatal(err)
	}
	if err := os.Symlink(to, path); err != nil {
		p.t.Fatal(err)
	}
}

// process adds one with the sockets given as "inode ip:port" lines.
func (p fakeProc) process(pid int, exe, cmdline, sigCgt string, listening ...string) {
	dir := fmt.Sprintf("proc/%d/", pid)
	p.write(dir+"status", "Name:\tx\nState:\tS (sleeping)\nPPid:\t1\nSigBlk:\t0000000000000000\nSigCgt:\t"+sigCgt+"\n")
	p.write(dir+"cmdline", strings.ReplaceAll(cmdline, " ", "\x00")+"\x00")
	p.link(dir+"exe", exe)
	p.write(dir+"fd/0", "")
	table := "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
	for i, l := range listening {
		inode, addr, _ := strings.Cut(l, " ")
		ap := netip.MustParseAddrPort(addr)
		a4 := ap.Addr().As4()
		table += fmt.Sprintf("   %d: %08X:%04X 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 %s 1\n",
			i, binary.NativeEndian.Uint32(a4[:]), ap.Port(), inode)
		if !strings.HasPrefix(inode, "9") { // 9...: somebody else's
			p.link(fmt.Sprintf("%sfd/%d", dir, 10+i), "socket:["+inode+"]")
		}
	}
	p.write(dir+"net/tcp", table)
}

const catches, doesNot = "0000000188005203", "0000000188005003"

func TestOpenInspectorIsCareful(t *testing.T) {
	p := newFakeProc(t)
	p.process(10, "/usr/bin/node", "node app.js", catches)
	p.process(11, "/usr/bin/node", "node app.js", doesNot)
	p.process(12, "/usr/bin/python3", "python3 app.py", catches)
	p.process(13, "/usr/bin/node", "node --inspect-port=4000 app.js", catches, "901 127.0.0.1:4000")
	p.process(14, "/usr/bin/node", "node --inspect-port=127.0.0.1:4001 app.js", catches, "902 0.0.0.0:4001")
	p.process(15, "/usr/bin/node", "node --inspect-port=0 app.js", catches, "903 127.0.0.1:9229")
	errTold := errors.New("told")
	for _, tt := range []struct {
		pid  int
		want error
	}{
		{10, errTold},
		{11, ErrNotCaught},
		{12, ErrNotNode},
		{13, ErrPortTaken},
		{14, ErrPortTaken},
		{15, errTold},
		{16, ErrNoProcess},
	} {
		sent := 0
		_, _, err := p.openInspector(deadline(t, 10*time.Second), tt.pid, func(int) error { sent++; return errTold })
		if !errors.Is(err, tt.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("openInspector(%d) = %v, want %v", tt.pid, err, tt.want)
		}
		if want := errors.Is(tt.want, errTold); (sent == 1) != want {
			t.Errorf("openInspector(%d) sent %d signals", tt.pid, sent)
		}
	}
	_, _, err := p.openInspector(deadline(t, 10*time.Second), 10, func(int) error { return os.ErrPermission })
	if !errors.Is(err, ErrPermission) {
		t.Errorf("openInspector without the right = %v", err)
	}
}

func TestOpenInspectorFindsAnOpenOne(t *testing.T) {
	f := newFakeInspector(t, nil)
	p := newFakeProc(t)
	p.process(10, "/opt/node-v24 (deleted)", "node app.js", catches, "55 "+f.addr())
	target, opened, err := p.openInspector(deadline(t, 10*time.Second), 10, func(int) error { t.Error("a signal was sent"); return nil })
	if err != nil || opened || target.PID != 10 || target.Addr() != f.addr() {
		t.Errorf("openInspector = %+v, %v, %v", target, opened, err)
	}
}

func TestLocal(t *testing.T) {
	f := newFakeInspector(t, nil)
	p := newFakeProc(t)
	p.process(10, "/usr/bin/node", "node --require ./x.js /app/a.js --inspect", catches, "55 "+f.addr())
	p.process(11, "/usr/local/bin/node", "node -r ./x.js /app/b.js", catches)
	p.process(12, "/usr/bin/node", "npm start", doesNot)
	p.process(13, "/bin/bash", "bash", catches)
	p.write("proc/11/status", "PPid:\t10\nSigCgt:\t"+catches+"\n")
	list, err := p.local(deadline(t, 10*time.Second))
	if err != nil || len(list) != 3 {
		t.Fatalf("Local = %+v, %v", list, err)
	}
	if a := list[0]; a.Reach != ReachInspector || a.Target.PID != 10 || a.Script != "/app/server.js" || len(a.Children) != 1 || a.Children[0] != 11 {
		t.Errorf("with an inspector: %+v", a)
	}
	if b := list[1]; b.Reach != ReachSignal || b.Script != "/app/b.js" {
		t.Errorf("without: %+v", b)
	}
	if c := list[2]; c.Reach != ReachNone || c.CatchesUSR1 || c.Why == "" {
		t.Errorf("that does not catch the signal: %+v", c)
	}
}

func TestInspectorPort(t *testing.T) {
	for _, tt := range []struct {
		cmdline, options string
		want             int
	}{
		{"node app.js", "", 9229},
		{"node --inspect app.js", "", 9229},
		{"node --inspect=0.0.0.0:9300 app.js", "", 9300},
		{"node --inspect-port 9301 app.js", "", 9301},
		{"node --inspect=127.0.0.1:0 app.js", "", 0},
		{"node app.js --inspect-port=1", "", 9229},
		{"node app.js", "--max-old-space-size=100 --inspect=9302", 9302},
		{"node --inspect-port=9303 app.js", "--inspect-port=9302", 9303},
	} {
		p := newFakeProc(t)
		p.process(10, "/usr/bin/node", tt.cmdline, catches)
		p.write("proc/10/environ", "A=1\x00NODE_OPTIONS="+tt.options+"\x00")
		if got := p.inspectorPort(10); got != tt.want {
			t.Errorf("inspectorPort of %q with %q = %d, want %d", tt.cmdline, tt.options, got, tt.want)
		}
	}
}

func TestParseSocketAddr(t *testing.T) {
	if binary.NativeEndian.Uint16([]byte{1, 0}) != 1 {
		t.Skip("the literals are of a little-endian machine")
	}
	for text, want := range map[string]string{
		"0100007F:240D":                         "127.0.0.1:9229",
		"00000000000000000000000001000000:240D": "[::1]:9229",
		"0000000000000000FFFF00000100007F:0050": "[::ffff:127.0.0.1]:80",
	} {
		if got, ok := parseSocketAddr(text); !ok || got.String() != want {
			t.Errorf("parseSocketAddr(%q) = %v, %v, want %s", text, got, ok, want)
		}
	}
	if _, ok := parseSocketAddr("xyz:1"); ok {
		t.Error("parseSocketAddr takes nonsense")
	}
}
