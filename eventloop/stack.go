package eventloop

// stackKey is a node of a call tree, and so the stack from there up.
type stackKey struct{ profile, node int }

// stackOf is the stack as places of what a person wrote, from the leaf up.
func (a *analysis) stackOf(l *ledger, k stackKey) []Site {
	if k.profile >= len(l.trees) {
		return nil
	}
	tree := l.trees[k.profile]
	if len(tree.nodes) <= k.node {
		return nil
	}
	v := &sample{tree: tree, stack: tree.stack(k.node), src: a.src, line: topLine(tree, k.node)}
	var out []Site
	for i := range v.stack {
		out = append(out, a.placed(v.siteOf(i)))
	}
	return out
}
