package cdp

import (
	"context"
	"fmt"
	"time"

	proto "github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/cdp/jsonv2"
	"github.com/chromedp/cdproto/debugger"
)

// Script is a script that the target has loaded and still uses.
type Script struct {
	ID           string `json:"id"` // script_id in a snapshot's locations
	URL          string `json:"url"`
	SourceMapURL string `json:"sourceMapURL,omitempty"` // the raw comment: a relative name or a data: URI
	Module       bool   `json:"module,omitempty"`
	Length       int    `json:"length,omitempty"`
	Hash         string `json:"hash,omitempty"`
}

// debuggerCleanup bounds the command that takes the debugger away again.
const debuggerCleanup = 5 * time.Second

// Scripts lists the target's scripts in the order of loading, Node's own
// included. Scripts all of whose functions were collected are not listed.
func (s *Session) Scripts(ctx context.Context) ([]Script, error) {
	var list []Script
	off := s.on(debugger.ScriptParsed.Method, func(params jsonv2.Value) {
		var p debugger.EventScriptParsed
		if err := jsonv2.Unmarshal(params, &p, jsonv2.AllowInvalidUTF8(true)); err != nil {
			return
		}
		s.mu.Lock()
		list = append(list, Script{
			ID:           string(p.ScriptID),
			URL:          p.URL,
			SourceMapURL: p.SourceMapURL,
			Module:       p.IsModule,
			Length:       int(p.Length),
			Hash:         p.Hash,
		})
		s.mu.Unlock()
	})
	defer off()
	// V8 replays scriptParsed for every script before it answers.
	if err := s.withDebugger(ctx, func() error { return nil }); err != nil {
		return nil, fmt.Errorf("scripts: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return list[:len(list):len(list)], nil
}

// Source is the text of the script as the target runs it.
func (s *Session) Source(ctx context.Context, id string) (string, error) {
	var text string
	err := s.withDebugger(ctx, func() error {
		r, err := proto.Call(ctx, s, debugger.GetScriptSource, debugger.GetScriptSourceParams{ScriptID: proto.ScriptID(id)})
		text = r.ScriptSource
		return err
	})
	if err != nil {
		return "", fmt.Errorf("source of script %s: %w", id, err)
	}
	return text, nil
}

// withDebugger runs f with the debugger enabled, for milliseconds, and sees to
// it that no breakpoint or debugger statement stops the program meanwhile.
func (s *Session) withDebugger(ctx context.Context, f func() error) error {
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), debuggerCleanup)
		defer cancel()
		// If this fails the session is ending, and the debugger ends with it.
		_, _ = proto.Call(ctx, s, debugger.Disable, proto.Empty{})
	}()
	if _, err := proto.Call(ctx, s, debugger.Enable, debugger.EnableParams{}); err != nil {
		return err
	}
	if _, err := proto.Call(ctx, s, debugger.SetSkipAllPauses, debugger.SetSkipAllPausesParams{Skip: true}); err != nil {
		return err
	}
	return f()
}
