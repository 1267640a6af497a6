package leak

import (
	"fmt"
	"path/filepath"
	"strings"

	"heapsnap/diff"
	"heapsnap/heapsnap"
)

var childProcessRule = Rule{
	Name:  "child-process",
	Title: "Child processes are started and never end",
	Cause: "A program is started for a request or a tenant, and waits for ever: for the end of an input that nobody ends, " +
		"for messages, for output to be read. Its ChildProcess and pipes stay, and so does the process itself.",
	Sign: "Survivors have open Process handles of every round, which only V8's global handles hold.",
	Fix: "End its stdin, disconnect() or kill() it when the work is done, give spawn a timeout or an AbortSignal, or keep a " +
		"pool of a fixed size.",
	Before: `function thumbnail(image) {
  const child = spawn('convert', ['-', '-resize', '64', 'png:-']);
  child.stdin.write(image);                            // the child waits for more
  return once(child.stdout, 'data');
}`,
	After: `function thumbnail(image) {
  const child = spawn('convert', ['-', '-resize', '64', 'png:-'], { timeout: 10_000 });
  child.stdin.end(image);
  return once(child.stdout, 'data');
}`,
	Links: []string{
		"https://nodejs.org/api/child_process.html#subprocesskillsignal",
		"https://nodejs.org/api/child_process.html#child_processspawncommand-args-options",
	},
	explain: explainChildProcess,
}

func explainChildProcess(p *Pass, g *diff.GrowthSite, holder heapsnap.Node) *claim {
	f, handles := p.leadingFamily(g, holder)
	if f == nil || f.rule != "child-process" {
		return nil
	}
	c := p.handleClaim(holder, f, handles)
	c.title = "child processes are started and never end"
	if command := p.commandOf(handles[len(handles)-1].owner); command != "" {
		c.evidence = append(c.evidence, fmt.Sprintf("the newest runs %q and has not ended", command))
	}
	p.madeBy(c, ownersOf(handles), f.api, "starts the process")
	c.fix = "End what it waits for when the work is done (child.stdin.end(), child.disconnect()) or kill() it, and give it a timeout or an AbortSignal; or keep a fixed number of them."
	return c
}

// commandOf is what a ChildProcess runs, with the first argument that is no
// option: "node thumbnail.js". Folders are of no interest.
func (p *Pass) commandOf(child heapsnap.Node) string {
	args := p.s.Property(child, "spawnargs")
	if args == heapsnap.NoNode {
		return ""
	}
	const most = 2
	var words []string
	for e := range p.s.Edges(args) {
		if word := p.s.Name(p.s.To(e)); p.s.EdgeType(e) == heapsnap.ElementEdge && len(words) < most && !strings.HasPrefix(word, "-") {
			words = append(words, filepath.Base(word))
		}
	}
	return strings.Join(words, " ")
}
