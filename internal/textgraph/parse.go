package textgraph

import (
	"fmt"
	"go/constant"
	"go/token"
	"go/types"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Parse reads a text. Errors begin with the line's number.
func Parse(text string) (*Graph, error) {
	g := &Graph{Captures: 1}
	lines := strings.Split(text, "\n")
	captures := 0
	for n := 0; n < len(lines); n++ {
		number, line := n+1, lines[n]
		for n+1 < len(lines) && strings.TrimLeft(lines[n+1], " \t") != lines[n+1] {
			n++
			line += lines[n]
		}
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		if count, ok := strings.CutPrefix(line, "captures "); ok {
			captures, _ = strconv.Atoi(count)
			continue
		}
		for i, count := 0, 1; i < count; i++ {
			p := &parser{tokens: tokens(line), i: fmt.Sprint(i)}
			o := object{line: number}
			count = g.object(p, &o)
			if p.err != nil {
				return nil, fmt.Errorf("line %d: %w", number, p.err)
			}
			g.objects = append(g.objects, o)
		}
	}
	if captures > 0 && captures < g.Captures {
		return nil, fmt.Errorf("captures %d: the last birth is in number %d", captures, g.Captures)
	}
	g.Captures = max(g.Captures, captures)
	return g, g.check()
}

// check finds ids that are taken twice and edges to nothing: typing mistakes.
func (g *Graph) check() error {
	lives := map[uint64][]life{}
	for _, o := range g.objects {
		for _, other := range lives[o.id] {
			if other.in(o.born) || o.in(other.born) {
				return fmt.Errorf("line %d: @%d is there already", o.line, o.id)
			}
		}
		lives[o.id] = append(lives[o.id], o.life)
	}
	for _, o := range g.objects {
		for _, e := range o.edges {
			if len(lives[e.to]) == 0 && !e.loose {
				return fmt.Errorf("line %d: there is no @%d", o.line, e.to)
			}
		}
	}
	return nil
}

var tokenPattern = regexp.MustCompile(`"(?:[^"\\]|\\.)*"|->|,|:(?:\s|$)|(?:[^\s,":]|:\S)+`)

func tokens(line string) []string {
	all := tokenPattern.FindAllString(line, -1)
	for i := range all {
		all[i] = strings.TrimSpace(all[i])
	}
	return all
}

// parser reads the tokens of one line for one i. After an error it reads
// nothing more.
type parser struct {
	tokens []string
	i, j   string
	err    error
}

// object reads a line and returns how often it is repeated.
func (g *Graph) object(p *parser, o *object) (count int) {
	o.id, count = p.number(p.after("@")), 1
	if p.has("i<") {
		count = int(p.number(p.after("i<")))
	}
	o.life = g.life(p)
	kind := ""
	for p.peek() != "" && !p.has(`"`) {
		kind = strings.TrimPrefix(kind+" "+p.next(), " ")
	}
	o.kind, o.name = p.oneOf(nodeTypes, kind), p.text(p.next())
	if t := p.peek(); t != "" && strings.IndexByte("0123456789i(", t[0]) >= 0 {
		o.size = p.number(p.next())
	}
	if p.has("attached") || p.has("detached") {
		o.detachedness = 1 + p.oneOf([]string{"attached", "detached"}, p.next())
	}
	if p.peek() == "at" {
		p.next()
		for part := range strings.SplitSeq(p.next(), ":") {
			o.location = append(o.location, p.number(part))
		}
		if len(o.location) != 3 || o.location[1] == 0 || o.location[2] == 0 {
			p.fail("want script:line:column after at, got %d", o.location)
		}
	}
	for sep := ":"; p.peek() != ""; sep = "," {
		if got := p.next(); got != sep {
			p.fail("want %q, got %q", sep, got)
		}
		o.edges = append(o.edges, g.edge(p, count > 1)...)
	}
	return count
}

// edge reads one edge, or those of one that is repeated.
func (g *Graph) edge(p *parser, loose bool) []edge {
	e := edge{kind: p.oneOf(edgeTypes, p.next()), loose: loose}
	name := p.next()
	if arrow := p.next(); arrow != "->" {
		p.fail("want ->, got %q", arrow)
	}
	to := p.after("@")
	e.life = g.life(p)
	count := uint64(1)
	if p.has("j<") {
		count, e.loose = p.number(p.after("j<")), true
	}
	var all []edge
	for j := range count {
		p.j = fmt.Sprint(j)
		if e.to = p.number(to); indexed(e.kind) {
			e.index = p.number(name)
		} else {
			e.name = p.text(name)
		}
		all = append(all, e)
	}
	return all
}

func (g *Graph) life(p *parser) (l life) {
	if p.has("+") {
		l.born = int(p.number(p.after("+")))
	}
	if p.has("-") && !p.has("->") {
		l.dead = int(p.number(p.after("-")))
	}
	g.Captures = max(g.Captures, l.born+1)
	return l
}

func (p *parser) fail(format string, args ...any) {
	if p.err == nil {
		p.err = fmt.Errorf(format, args...)
	}
}

func (p *parser) peek() string {
	if len(p.tokens) == 0 || p.err != nil {
		return ""
	}
	return p.tokens[0]
}

func (p *parser) next() string {
	t := p.peek()
	if t == "" {
		p.fail("the line ends too early")
		return ""
	}
	p.tokens = p.tokens[1:]
	return t
}

func (p *parser) has(prefix string) bool { return strings.HasPrefix(p.peek(), prefix) }

// after takes a token and returns what follows its prefix.
func (p *parser) after(prefix string) string {
	t := p.next()
	rest, ok := strings.CutPrefix(t, prefix)
	if !ok {
		p.fail("want %s and a number, got %q", prefix, t)
	}
	return rest
}

func (p *parser) oneOf(names []string, name string) int {
	at := slices.Index(names, name)
	if at < 0 {
		p.fail("%q is none of %q", name, names)
	}
	return max(at, 0)
}

var placeholder = regexp.MustCompile(`\{[0-9ij*/%+()-]*[ij][0-9ij*/%+()-]*\}`)

// text is a name: quoted or not, with its placeholders replaced.
func (p *parser) text(t string) string {
	if strings.HasPrefix(t, `"`) {
		unquoted, err := strconv.Unquote(t)
		if err != nil {
			p.fail("%s: %w", t, err)
		}
		t = unquoted
	}
	return placeholder.ReplaceAllStringFunc(t, func(s string) string { return fmt.Sprint(p.number(s[1 : len(s)-1])) })
}

// number evaluates a constant expression of Go with i and j.
func (p *parser) number(text string) uint64 {
	if v, err := strconv.ParseUint(text, 10, 64); err == nil || p.err != nil {
		return v
	}
	expr := strings.NewReplacer("i", "("+p.i+")", "j", "("+p.j+")").Replace(text)
	tv, err := types.Eval(token.NewFileSet(), nil, token.NoPos, expr)
	if err != nil || tv.Value == nil {
		p.fail("%q is no number", text)
		return 0
	}
	v, ok := constant.Uint64Val(tv.Value)
	if !ok {
		p.fail("%q is %v, not a number of 0 or more", text, tv.Value)
	}
	return v
}
