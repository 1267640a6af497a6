package leak

import (
	"context"
	"fmt"
	"strings"

	"heapsnap/diff"
	"heapsnap/heapsnap"
)

// Across explains what last has more of than first, a capture of another
// process, most bytes first; see [diff.Across]. The rules are those of growth,
// without what they say of time: nobody has seen anything grow.
func Across(ctx context.Context, first, last *heapsnap.Snapshot, opts Options) ([]Finding, error) {
	look := newPass(diff.Nothing(last), opts)
	d, err := diff.Across(ctx, first, last, diff.AcrossOptions{
		Usual:  look.ofTheRuntimeInTwo,
		Costly: func(class string) bool { return class == "Worker" || class == "ChildProcess" },
	})
	if err != nil {
		return nil, err
	}
	p := newPass(d, opts)
	p.texts, p.files = look.texts, look.files
	var findings []Finding
	for _, g := range d.Sites {
		if err := ctx.Err(); err != nil {
			return nil, context.Cause(ctx)
		}
		if g.Judgement != diff.More || p.bounded(g) != "" {
			continue
		}
		f, _ := p.explain(g)
		p.timeless(&f)
		n, unit := f.counted()
		f.Title = fmt.Sprintf("%s holds %d more %s", f.Holder.Name, n, unit)
		findings = append(findings, f)
	}
	return p.withoutConsequences(findings), nil
}

// ofTheRuntimeInTwo is ofTheRuntime where another process had fewer: Node's own
// modules, sockets and processes, calls that wait, and symbols are then the program's
// doing. What Node makes lazily of them is functions, names and tables.
func (p *Pass) ofTheRuntimeInTwo(holder heapsnap.Node, entries []heapsnap.Node) bool {
	if len(entries) > 0 && p.s.Type(entries[0]) == heapsnap.Symbol {
		return false
	}
	if len(entries) > 0 && p.s.Type(entries[0]) == heapsnap.Object {
		switch class := p.s.RawName(entries[0]); {
		case class == "Promise", class == "Generator", telling(class) && !strings.HasPrefix(class, "system / "):
			return false
		}
	}
	return p.ofTheRuntime(holder, entries)
}
