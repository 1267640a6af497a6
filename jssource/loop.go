package jssource

// LoopAround returns the head of the innermost loop between from and to whose
// body has token i: the index of for or while, -1 if there is none.
func (s *Source) LoopAround(f Function, i int) int {
	found := -1
	for k := f.Body; k < i; k++ {
		switch s.At(k) {
		case "for", "while":
		default:
			continue
		}
		if s.At(k-1) == "." {
			continue
		}
		open := k + 1
		if s.At(open) == "await" {
			open++
		}
		if s.At(open) != "(" || s.Tokens[open].Match < 0 {
			continue
		}
		end := s.Tokens[open].Match
		body := end + 1
		if s.At(body) == "{" && s.Tokens[body].Match > 0 {
			end = s.Tokens[body].Match
		} else { // one statement
			for end = body; end < f.End && s.At(end) != ";"; end++ {
				if m := s.Tokens[end].Match; m > end {
					end = m
				}
			}
		}
		if open < i && i <= end {
			found = k
		}
	}
	return found
}

// LoopBody is where the head of the loop at a token closes, and where its body
// ends.
func (s *Source) LoopBody(loop int) (head, end int, ok bool) {
	open := loop + 1
	if s.At(open) != "(" || s.Tokens[open].Match < 0 {
		return 0, 0, false
	}
	head = s.Tokens[open].Match
	end = head + 1
	if s.At(end) == "{" && s.Tokens[end].Match > 0 {
		return head, s.Tokens[end].Match, true
	}
	for end < len(s.Tokens) && s.At(end) != ";" {
		end++
	}
	return head, end, true
}
