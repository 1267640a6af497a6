package jssource

import "strings"

// A Binding is what a name in a script stands for: a module, or something that
// it exports.
type Binding struct {
	Module string // as it is written, without "node:"
	Export string // "" for all of it
}

// Bindings reads off a script what its names stand for: `const net =
// require('node:net')`, `const { connect: dial } = require('net')`, `import
// { Worker } from 'worker_threads'`, and what compilers make of these.
func (s *Source) Bindings() map[string]Binding {
	if s.bound != nil {
		return s.bound
	}
	s.bound = map[string]Binding{}
	for i, t := range s.Tokens {
		if !t.IsString() {
			continue
		}
		module := strings.TrimPrefix(strings.Trim(t.Text, `'"`), "node:")
		switch {
		case s.At(i-1) == "(" && (s.At(i-2) == "require" || s.At(i-2) == "import" || s.At(i-2) == "getBuiltinModule") && s.At(i+1) == ")":
			export := ""
			if s.At(i+2) == "." {
				export = s.At(i + 3)
			}
			// Back over __importStar(, await and the like to the assignment.
			k := i - 3
			for k > 0 && k > i-10 && s.At(k) != "=" {
				k--
			}
			if s.At(k) == "=" {
				s.bind(k-1, module, export)
			}
		case s.At(i-1) == "from":
			k := i - 2
			switch {
			case s.At(k) == "}":
				s.bind(k, module, "")
			case s.At(k-1) == "as": // * as net
				s.bound[s.At(k)] = Binding{module, ""}
			default:
				s.bound[s.At(k)] = Binding{module, ""}
			}
			if s.At(k) == "}" { // import net, { connect } from 'net'
				if open := s.Tokens[k].Match; open > 1 && s.At(open-1) == "," {
					s.bound[s.At(open-2)] = Binding{module, ""}
				}
			}
		}
	}
	return s.bound
}

// bind notes what the pattern that ends at token k stands for.
func (s *Source) bind(k int, module, export string) {
	if s.At(k) != "}" {
		if k >= 0 && s.Tokens[k].IsName() {
			s.bound[s.At(k)] = Binding{module, export}
		}
		return
	}
	open := s.Tokens[k].Match
	for i := open + 1; i < k && open >= 0; i++ {
		name := s.At(i)
		if !s.Tokens[i].IsName() || s.At(i-1) != "{" && s.At(i-1) != "," {
			continue
		}
		local := name
		if next := s.At(i + 1); next == ":" || next == "as" {
			local = s.At(i + 2)
		}
		s.bound[local] = Binding{module, name}
	}
}
