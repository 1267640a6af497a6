package main

import (
	"heapsnap/eventloop"
	"heapsnap/leak"
	"heapsnap/report"
)

// leakRules is the documentation of what leaks.
func leakRules() []report.Rule {
	var out []report.Rule
	for _, r := range leak.Rules() {
		out = append(out, report.Rule{Name: r.Name, Title: r.Title, Why: r.Cause, Sign: r.Sign, Fix: r.Fix, Before: r.Before, After: r.After, Links: r.Links})
	}
	return out
}

// causeRules is the documentation of what blocks a loop.
func causeRules() []report.Rule {
	var out []report.Rule
	for _, c := range eventloop.Causes() {
		out = append(out, report.Rule{Name: c.Name, Title: c.Title, Why: c.Why, Sign: c.Sign, Fix: c.Fix, Before: c.Before, After: c.After, Links: c.Links})
	}
	return out
}
