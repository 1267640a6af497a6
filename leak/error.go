package leak

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"heapsnap/diff"
	"heapsnap/heapsnap"
)

var errorRule = Rule{
	Name:  "error",
	Title: "Errors are kept, with all that their stacks refer to",
	Cause: "Errors are put into a list to be shown or counted later; or each error gets the one before it as its cause. " +
		"Until its stack is read, an error has the functions and the objects (this) of every frame, and so the request or " +
		"job that failed.",
	Sign: "A collection has Error objects of every round, or errors hang on each other by cause. Behind a symbol each has " +
		"an array of frames.",
	Fix: "Keep text instead of errors (message, stack), and only the last few. Give an error as its cause what made it, " +
		"not the failure before.",
	Before: `catch (error) {
  failures.push(error);                                  // and with it the job that threw it
}`,
	After: `catch (error) {
  failures.push({ message: error.message, stack: error.stack });
  if (failures.length > 100) failures.shift();
}`,
	Links: []string{
		"https://nodejs.org/api/errors.html#errorcapturestacktracetargetobject-constructoropt",
		"https://developer.mozilla.org/en-US/docs/Web/JavaScript/Reference/Global_Objects/Error/cause",
	},
	explain: explainError,
}

func explainError(p *Pass, g *diff.GrowthSite, holder heapsnap.Node) *claim {
	if c := explainErrors(p, g, holder); c != nil {
		return c
	}
	return explainCauses(p, g, holder)
}

// isError reports whether n is an Error: it has a message, a stack or frames
// behind a private symbol, and a class that is called so.
func (p *Pass) isError(n heapsnap.Node) bool {
	if p.s.Type(n) != heapsnap.Object {
		return false
	}
	name := p.s.RawName(n)
	return strings.HasSuffix(name, "Error") || strings.HasSuffix(name, "Exception") ||
		p.s.Property(n, "stack") != heapsnap.NoNode && p.s.Property(n, "message") != heapsnap.NoNode
}

// errorIn returns the error that an entry is or has.
func (p *Pass) errorIn(entry heapsnap.Node) heapsnap.Node {
	if p.isError(entry) {
		return entry
	}
	if p.s.Type(entry) == heapsnap.Object {
		for e := range p.s.Edges(entry) {
			if t := p.s.EdgeType(e); (t == heapsnap.PropertyEdge || t == heapsnap.ElementEdge) && p.d.Cohort(p.s.To(e)) > 0 && p.isError(p.s.To(e)) {
				return p.s.To(e)
			}
		}
	}
	return heapsnap.NoNode
}

// explainErrors is a collection of errors.
func explainErrors(p *Pass, g *diff.GrowthSite, holder heapsnap.Node) *claim {
	c, values := p.collection(g, holder)
	if c == nil {
		return nil
	}
	var errs []heapsnap.Node
	for _, v := range values {
		if e := p.errorIn(v); e != heapsnap.NoNode {
			errs = append(errs, e)
		}
	}
	if len(errs) < 2 || len(errs)*5 < len(values)*4 {
		return nil
	}
	c.specific = content
	c.title = fmt.Sprintf("errors are put into %s and stay there", c.holder.Name)
	c.entries, c.unit = p.count(errs), "errors"
	c.survivor = errs[len(errs)*3/4]
	p.explainStack(c, errs[len(errs)*3/4])
	c.fix = fmt.Sprintf("Put error.message and error.stack into %s instead of the error, and keep only the last few.", c.holder.Name)
	return c
}

// explainStack adds what an error's frames keep.
func (p *Pass) explainStack(c *claim, err heapsnap.Node) {
	receivers, bytes := p.receivers(err)
	if len(receivers) > 0 {
		c.evidence = append(c.evidence, fmt.Sprintf("the frames of each error's stack keep objects alive: %s, about %d bytes", strings.Join(receivers, ", "), bytes))
	}
}

// receivers returns the classes of the objects that the frames of an error have
// as this, and what they retain. V8 keeps frames behind a private symbol, until
// stack is read, as CallSiteInfo (Node 18 to 24) or flat in an array (26).
func (p *Pass) receivers(err heapsnap.Node) (classes []string, bytes uint64) {
	s := p.s
	var frames func(n heapsnap.Node, depth int)
	seen := map[heapsnap.Node]bool{}
	frames = func(n heapsnap.Node, depth int) {
		for e := range s.Edges(n) {
			to := s.To(e)
			if seen[to] || !s.Strong(n, e) {
				continue
			}
			seen[to] = true
			switch {
			case s.Type(to) == heapsnap.Hidden && depth < 3 && s.RawName(to) != "system / AccessorPair" || s.Type(to) == heapsnap.Array && depth < 3:
				frames(to, depth+1)
			case depth > 0 && s.Type(to) == heapsnap.Object && p.d.Cohort(to) > 0 && !p.isContext(to):
				bytes += s.RetainedSize(to)
				if class := p.class(to); !slices.Contains(classes, class) {
					classes = append(classes, class)
				}
			}
		}
	}
	for e := range s.Edges(err) {
		if s.EdgeType(e) == heapsnap.PropertyEdge && strings.HasPrefix(s.EdgeName(e), "<symbol") {
			if to := s.To(e); s.Type(to) == heapsnap.Array || s.Type(to) == heapsnap.Hidden {
				frames(to, 1)
			}
		}
	}
	return classes, bytes
}

// explainCauses is a chain of errors, each the cause of the next.
func explainCauses(p *Pass, g *diff.GrowthSite, holder heapsnap.Node) *claim {
	chain, label := p.chainOf(g, p.isError)
	if len(chain) < minLinks || label == "" {
		return nil
	}
	o := p.describeFor(g, holder)
	if !p.isContext(holder) && g.Label != anyEntry && holder == g.Holder {
		o.Name = fmt.Sprintf(".%s of %s", g.Label, o.Name)
	}
	c := &claim{
		specific: content,
		title:    fmt.Sprintf("each error keeps the one before it through .%s, from %s on", label, o.Name),
		holder:   o,
		node:     holder,
		survivor: chain[len(chain)-2],
		identity: []string{o.Name, label},
		unit:     "errors",
	}
	slices.SortStableFunc(chain, func(a, b heapsnap.Node) int { return cmp.Compare(p.d.Cohort(a), p.d.Cohort(b)) })
	c.entries = p.count(chain)
	c.evidence = append(c.evidence, fmt.Sprintf("a chain of %d errors", len(chain)))
	p.explainStack(c, chain[len(chain)/2])
	c.where = p.compact(append(p.addersOf(holder, g.Label, g.Entries), p.setters(holder, label)...))
	c.fix = fmt.Sprintf("Let %s refer to what made this error, not to the failure before it; or keep its message only.", label)
	return c
}

// setters returns the lines that write { label: value } or .label = value.
func (p *Pass) setters(holder heapsnap.Node, label string) []Location {
	const maxFiles, most = 50, 3
	scripts := p.scripts(holder, nil)
	for _, script := range scripts[:min(len(scripts), maxFiles)] {
		src := p.file(script)
		if src == nil {
			continue
		}
		var found []Location
		for i, t := range src.Tokens {
			if t.Text == label && i+1 < len(src.Tokens) && i > 0 &&
				(src.Tokens[i+1].Text == ":" || src.Tokens[i+1].Text == "=" && src.Tokens[i-1].Text == ".") {
				found = append(found, src.location(script, i, "links it to the one before"))
			}
		}
		if len(found) > 0 {
			return found[:min(len(found), most)]
		}
	}
	return nil
}
