package memory

import (
	"fmt"
	"strconv"
	"strings"
)

// Options are what the start of a process says about its memory: those of
// NODE_OPTIONS first, then those of the command line, which win.
type Options struct {
	OldSpace      uint64  // --max-old-space-size, in bytes; 0 if not given
	OldSpaceShare float64 // --max-old-space-size-percentage, 0 to 100
	HeapSize      uint64  // --max-heap-size
	SemiSpace     uint64  // --max-semi-space-size
	NearHeapLimit int     // --heapsnapshot-near-heap-limit
	ReportOnFatal bool    // --report-on-fatalerror
	TraceGC       bool
	Given         []Option
	FromScript    string // main script, "" if not known
}

// Option is one option about memory and where it was given.
type Option struct {
	Text string // as given
	Name string // with dashes, without value
	From string // "NODE_OPTIONS" or "command line"
}

// memoryOptions are those that are read. V8's may be written with underscores.
var memoryOptions = map[string]bool{
	"--max-old-space-size": true, "--max-old-space-size-percentage": true, "--max-heap-size": true, "--max-semi-space-size": true,
	"--min-semi-space-size": true, "--semi-space-growth-factor": true, "--heapsnapshot-near-heap-limit": true,
	"--report-on-fatalerror": true, "--trace-gc": true, "--optimize-for-size": true, "--stack-size": true,
	"--initial-old-space-size": true, "--max-lazy": true, "--single-threaded-gc": true, "--gc-interval": true,
	"--heap-growing-percent": true, "--huge-max-old-generation-size": true, "--expose-gc": true,
	"--disable-sigusr1": true, "--diagnostic-dir": true, "--report-directory": true,
}

// ParseOptions reads the value of NODE_OPTIONS and a command line, whose first
// word is the program.
func ParseOptions(env string, args []string) Options {
	var o Options
	o.take(splitOptions(env), "NODE_OPTIONS")
	if len(args) > 0 {
		o.FromScript = o.take(args[1:], "command line")
	}
	return o
}

// splitOptions splits as node does: at blanks, but for those in double quotes
// (ParseNodeOptionsEnvVar in src/node_options.cc).
func splitOptions(env string) []string {
	var all []string
	var b strings.Builder
	quoted, any := false, false
	for i := 0; i < len(env); i++ {
		switch c := env[i]; {
		case c == '\\' && quoted && i+1 < len(env):
			i++
			b.WriteByte(env[i])
		case c == '"':
			quoted, any = !quoted, true
		case c == ' ' && !quoted:
			if any {
				all = append(all, b.String())
			}
			b.Reset()
			any = false
		default:
			b.WriteByte(c)
			any = true
		}
	}
	if any {
		all = append(all, b.String())
	}
	return all
}

// valueNext are options of node whose value may be the next word.
var valueNext = map[string]bool{
	"-r": true, "--require": true, "--import": true, "--loader": true, "--experimental-loader": true, "-C": true, "--conditions": true,
	"--env-file": true, "--inspect-port": true, "--title": true, "--max-old-space-size": false,
	"--diagnostic-dir": true, "--report-directory": true,
}

// take reads options up to the script, which it returns.
func (o *Options) take(words []string, from string) (script string) {
	for i := 0; i < len(words); i++ {
		word := words[i]
		switch {
		case word == "--":
			if i+1 < len(words) {
				return words[i+1]
			}
			return ""
		case word == "-e" || word == "--eval" || word == "-p" || word == "--print":
			return ""
		case !strings.HasPrefix(word, "-"):
			return word
		}
		name, value, given := strings.Cut(word, "=")
		if strings.HasPrefix(name, "--") {
			name = "--" + strings.ReplaceAll(name[2:], "_", "-")
		}
		if !given && valueNext[name] && i+1 < len(words) {
			i++
			value = words[i]
			word += " " + value
		}
		if !memoryOptions[name] {
			continue
		}
		o.Given = append(o.Given, Option{word, name, from})
		number, _ := strconv.ParseFloat(strings.TrimSuffix(value, "%"), 64)
		mib := uint64(max(0, number)) << 20
		switch name {
		case "--max-old-space-size":
			o.OldSpace = mib
		case "--max-old-space-size-percentage":
			o.OldSpaceShare = number
		case "--max-heap-size":
			o.HeapSize = mib
		case "--max-semi-space-size":
			o.SemiSpace = mib
		case "--heapsnapshot-near-heap-limit":
			o.NearHeapLimit = int(number)
		case "--report-on-fatalerror":
			o.ReportOnFatal = true
		case "--trace-gc":
			o.TraceGC = true
		}
	}
	return ""
}

// Conflicts are options that contradict each other, in a sentence each.
func (o Options) Conflicts(nodeMajor int) []string {
	var all []string
	last := map[string]Option{}
	for _, g := range o.Given {
		if before, twice := last[g.Name]; twice && before.Text != g.Text {
			all = append(all, fmt.Sprintf("%s (%s) overrides %s (%s)", g.Text, g.From, before.Text, before.From))
		}
		last[g.Name] = g
	}
	if o.OldSpace > 0 && o.OldSpaceShare > 0 {
		// In whatever order (seen with Node 22 to 26).
		all = append(all, fmt.Sprintf("--max-old-space-size-percentage=%g overrides --max-old-space-size=%d", o.OldSpaceShare, o.OldSpace>>20))
	}
	if o.HeapSize > 0 && o.OldSpace > 0 {
		// V8 makes the young space as large as the difference (868 MiB for 500 and 100).
		all = append(all, fmt.Sprintf("--max-heap-size=%d and --max-old-space-size=%d do not go together: the young space takes the difference", o.HeapSize>>20, o.OldSpace>>20))
	}
	if o.OldSpaceShare > 0 && nodeMajor > 0 && nodeMajor < 22 {
		all = append(all, fmt.Sprintf("--max-old-space-size-percentage is not known to Node %d", nodeMajor))
	}
	return all
}
