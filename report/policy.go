package report

import "fmt"

// Budget is a limit, mostly per round, and what it is held against.
type Budget struct {
	Name     string  `json:"name"` // growth of the heap, class Session
	Limit    float64 `json:"limit"`
	Value    float64 `json:"value"`
	Unit     string  `json:"unit"` // bytes, objects or ms
	Exceeded bool    `json:"exceeded"`
	By       string  `json:"by,omitempty"` // FILE:LINE that sets it
	Sentence string  `json:"sentence"`
}

// Ignored is a finding that does not fail: accepted, with a reason.
type Ignored struct {
	Finding Finding `json:"finding"`
	Reason  string  `json:"reason"`
	By      string  `json:"by,omitempty"`      // FILE:LINE that says so
	Expires string  `json:"expires,omitempty"` // the day it ends, 2027-01-31
}

// policy writes budgets and what is accepted.
func (p *page) policy(r *Report) {
	if len(r.Budgets) > 0 {
		p.heading(0, "Budgets")
		for _, b := range r.Budgets {
			mark, s := "ok    ", plain
			if b.Exceeded {
				mark, s = "over  ", red
			}
			p.prose(2, mark, s, b.Sentence)
		}
	}
	if l := r.Loop; l != nil {
		p.prose(2, "", dim, l.Words())
		if l.Location != nil {
			p.prose(4, "", dim, clip(l.Title, 200))
			p.place(4, *l.Location, plain)
		}
	}
	if len(r.Ignored) == 0 {
		return
	}
	p.heading(0, "Found, and accepted")
	for _, i := range r.Ignored {
		s := clip(i.Finding.Title, 200)
		if l := i.Finding.Location; l != nil {
			s += ", at " + l.position()
		}
		p.prose(2, "- ", plain, s)
		why := clip(i.Reason, 200)
		if i.By != "" {
			why += " (" + clip(i.By, maxPath) + ")"
		}
		if i.Expires != "" {
			why += fmt.Sprintf(", until %s", clip(i.Expires, 20))
		}
		p.prose(4, "", dim, why)
	}
}
