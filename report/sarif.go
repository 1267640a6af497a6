package report

import (
	"io"
	"strings"
)

// The SARIF form follows version 2.1.0 of the standard of OASIS, and what
// GitHub's code scanning reads of it.

type sarifLog struct {
	Schema  string     `json:"$schema"`
	Version string     `json:"version"`
	Runs    []sarifRun `json:"runs"`
}

type sarifRun struct {
	Tool       sarifTool                `json:"tool"`
	ColumnKind string                   `json:"columnKind"`
	Bases      map[string]sarifArtifact `json:"originalUriBaseIds,omitempty"`
	Results    []sarifResult            `json:"results"`
}

type sarifTool struct {
	Driver sarifDriver `json:"driver"`
}

type sarifDriver struct {
	Name    string      `json:"name"`
	Version string      `json:"version,omitempty"`
	Rules   []sarifRule `json:"rules"`
}

type sarifRule struct {
	ID               string            `json:"id"`
	ShortDescription *sarifText        `json:"shortDescription,omitempty"`
	FullDescription  *sarifText        `json:"fullDescription,omitempty"`
	Help             *sarifText        `json:"help,omitempty"`
	HelpURI          string            `json:"helpUri,omitempty"`
	Properties       map[string]string `json:"properties,omitempty"`
}

type sarifText struct {
	Text     string `json:"text"`
	Markdown string `json:"markdown,omitempty"`
}

type sarifResult struct {
	RuleID       string            `json:"ruleId"`
	RuleIndex    int               `json:"ruleIndex"`
	Level        string            `json:"level"`
	Message      sarifText         `json:"message"`
	Locations    []sarifLocation   `json:"locations"`
	Related      []sarifLocation   `json:"relatedLocations,omitempty"`
	Fingerprints map[string]string `json:"partialFingerprints,omitempty"`
}

type sarifLocation struct {
	ID       int            `json:"id,omitempty"`
	Physical sarifPhysical  `json:"physicalLocation"`
	Logical  []sarifLogical `json:"logicalLocations,omitempty"`
	Message  *sarifText     `json:"message,omitempty"`
}

type sarifPhysical struct {
	Artifact sarifArtifact `json:"artifactLocation"`
	Region   *sarifRegion  `json:"region,omitempty"`
}

type sarifArtifact struct {
	URI  string `json:"uri"`
	Base string `json:"uriBaseId,omitempty"`
}

type sarifRegion struct {
	Line    int        `json:"startLine"`
	Column  int        `json:"startColumn,omitempty"`
	Snippet *sarifText `json:"snippet,omitempty"`
}

type sarifLogical struct {
	Name string `json:"name"`
	Kind string `json:"kind"`
}

// sarifRoot is the name that SARIF viewers know for the root of the sources.
const sarifRoot = "%SRCROOT%"

// maxSARIF is how many results code scanning takes in.
const maxSARIF = 5000

func writeSARIF(w io.Writer, o outcome, opts Options) error {
	run := sarifRun{
		Tool:       sarifTool{sarifDriver{Name: "heapsnap", Version: o.Version, Rules: []sarifRule{}}},
		ColumnKind: "utf16CodeUnits", // V8's
		Results:    []sarifResult{},
	}
	if strings.HasPrefix(opts.Root, "/") {
		run.Bases = map[string]sarifArtifact{sarifRoot: {URI: "file://" + uri(strings.TrimSuffix(opts.Root, "/")) + "/"}}
	}
	index := map[string]int{}
	for i := range o.Issues[:min(len(o.Issues), maxSARIF)] {
		s := &o.Issues[i]
		rule, known := index[s.Rule]
		if !known {
			rule = len(run.Tool.Driver.Rules)
			index[s.Rule] = rule
			run.Tool.Driver.Rules = append(run.Tool.Driver.Rules, sarifRuleOf(findRule(opts.Rules, s.Rule)))
		}
		r := sarifResult{RuleID: ruleID(s.Rule), RuleIndex: rule, Level: "warning", Message: sarifText{Text: noLinks(clip(s.Title, 300) + "\n" + s.text(opts.Root))}, Locations: []sarifLocation{}}
		if s.Failing {
			r.Level = "error"
		}
		if s.Fingerprint != "" {
			r.Fingerprints = map[string]string{"heapsnap/v1": clip(s.Fingerprint, 200)}
		}
		switch {
		case s.Location != nil && s.Location.File != "":
			r.Locations = append(r.Locations, sarifPlace(*s.Location, opts.Root))
		case o.Target != "":
			// Code scanning leaves out what has no file.
			r.Locations = append(r.Locations, sarifPlace(Location{File: o.Target, Line: 1}, opts.Root))
		}
		for k, l := range s.Related[:min(len(s.Related), 10)] {
			if l.File == "" {
				continue
			}
			place := sarifPlace(l, opts.Root)
			place.ID = k + 1
			if l.Role != "" {
				place.Message = &sarifText{Text: clip(l.Role, 80)}
			}
			r.Related = append(r.Related, place)
		}
		run.Results = append(run.Results, r)
	}
	return encode(w, sarifLog{Schema: "https://json.schemastore.org/sarif-2.1.0.json", Version: "2.1.0", Runs: []sarifRun{run}})
}

// ruleID is never empty, which SARIF forbids.
func ruleID(name string) string {
	if name = clip(name, 60); name == "" {
		return "unknown"
	}
	return name
}

// noLinks takes from a message what SARIF's viewers would make a link of.
func noLinks(s string) string { return strings.ReplaceAll(s, "](", "] (") }

func sarifRuleOf(r Rule) sarifRule {
	out := sarifRule{ID: ruleID(r.Name)}
	if r.Title == "" {
		return out
	}
	out.ShortDescription = &sarifText{Text: r.Title}
	if r.Why != "" {
		out.FullDescription = &sarifText{Text: r.Why}
	}
	help := strings.TrimSpace(r.Why + "\n\n" + r.Sign + "\n\nWhat to do: " + r.Fix)
	markdown := help
	if r.Before != "" {
		help += "\n\nBefore:\n" + r.Before + "\n\nAfter:\n" + r.After
		markdown += "\n\nBefore:\n\n```js\n" + r.Before + "\n```\n\nAfter:\n\n```js\n" + r.After + "\n```"
	}
	out.Help = &sarifText{Text: help, Markdown: markdown}
	if len(r.Links) > 0 && strings.HasPrefix(r.Links[0], "https://") {
		out.HelpURI = r.Links[0]
	}
	return out
}

func sarifPlace(l Location, root string) sarifLocation {
	var out sarifLocation
	file, ok := under(root, l.File)
	switch {
	case ok:
		out.Physical.Artifact = sarifArtifact{URI: uri(file), Base: sarifRoot}
	case strings.HasPrefix(l.File, "/"):
		out.Physical.Artifact = sarifArtifact{URI: "file://" + uri(l.File)}
	default: // node:fs, https://..., C:\...
		out.Physical.Artifact = sarifArtifact{URI: uri(strings.ReplaceAll(l.File, `\`, "/"))}
	}
	if l.Line > 0 {
		out.Physical.Region = &sarifRegion{Line: l.Line, Column: l.Column}
		if l.Code != "" {
			out.Physical.Region.Snippet = &sarifText{Text: clip(l.Code, 400)}
		}
	}
	if l.Function != "" {
		out.Logical = []sarifLogical{{Name: clip(l.Function, 120), Kind: "function"}}
	}
	return out
}
