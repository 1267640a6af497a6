package redact

// use is what a text is used for; a text may have several uses, as V8 writes
// equal texts once.
type use uint8

const (
	contentUse  use = 1 << iota // a string or regular expression
	wordUse                     // see wordKind
	classUse                    // name of a class
	codeUse                     // name of a function, script or variable
	engineUse                   // V8's or the embedder's name for something
	propertyUse                 // name of a property
	spelledUse                  // stands in bytecode, as a name or as a string
	declaredUse                 // a scope has a variable of that name
)

// uses collects the uses of all texts.
type uses struct {
	of    []use      // string ->
	pairs []spelling // see spell
	rows  uint64     // of nodes and edges that were seen
}

// fits reports whether a text's number is one that memory may be taken for. V8
// numbers texts as they come, so there are no more than rows that name them.
func (u *uses) fits(text uint64) bool { return text < 4*u.rows+1<<20 }

// A spelling says that a text is referred to by code of some name.
type spelling struct{ by, text uint32 }

// maxSpellings bounds what is remembered of them: 128 MiB. The compiler of
// TypeScript, 10 MB of source, has half a million.
const maxSpellings = 16 << 20

func (u *uses) add(text uint32, as use) {
	if int(text) >= len(u.of) {
		u.of = append(u.of, make([]use, int(text)+1-len(u.of))...)
	}
	u.of[text] |= as
}

func (u *uses) node(name uint32, k kind) {
	u.add(name, [...]use{classUse, contentUse, wordUse, codeUse, engineUse}[k])
}

func (u *uses) edge(name uint32, t edgeKind) {
	switch t {
	case variableEdge:
		u.add(name, codeUse)
	case engineEdge:
		u.add(name, engineUse)
	default:
		u.add(name, propertyUse)
	}
}

// spell notes that code refers to a text. What code that is, its own name will
// tell, when the strings come: bytecode's constants and scopes are evidence that
// the program spells a text, compiled code and feedback are none, as they refer
// to what has come by.
func (u *uses) spell(by, text uint32) {
	if n := len(u.pairs); n < maxSpellings && (n == 0 || u.pairs[n-1] != spelling{by, text}) {
		u.pairs = append(u.pairs, spelling{by, text})
	}
}

// spellers are the names of code nodes whose texts stand in the source, with
// what it says of a text. On Node 18, the constants of an object literal are a
// node without a name, as functions without a name are; those refer to nothing
// that is not in the source.
var spellers = map[string]use{
	"(constant pool)":                       spelledUse, // of bytecode; also the names of properties it reads and writes
	"system / ObjectBoilerplateDescription": spelledUse, // { key: ... }, Node 22 and later
	"":                                      spelledUse,
	"system / ScopeInfo":                    declaredUse,
	"(context local names)":                 declaredUse,
}

// settle turns the spellings into uses. names are the texts of spellers that
// were read, by number.
func (u *uses) settle(names map[uint32]use) {
	for _, p := range u.pairs {
		if as := names[p.by]; as != 0 {
			u.add(p.text, as)
		}
	}
	u.pairs = nil
}
