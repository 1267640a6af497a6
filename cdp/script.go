package cdp

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf16"

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
	Source       string `json:"source,omitempty"` // its text, where no file has it; see OwnScripts
}

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

// The most text that OwnScripts brings along, in UTF-16 units: of one script,
// and of all.
const (
	maxSource  = 16 << 20
	maxSources = 64 << 20
)

// OwnScripts lists the program's scripts without Node's. Those whose text is in
// no file here, because it was compiled in memory (tsx, a bundler's server,
// eval with a name) or because the target runs on another machine or in a
// container, bring it along.
func (s *Session) OwnScripts(ctx context.Context) ([]Script, error) {
	all, err := s.Scripts(ctx)
	if err != nil {
		return nil, err
	}
	var own []Script
	var missing []int
	room := maxSources
	for _, script := range all {
		if script.URL == "" || strings.HasPrefix(script.URL, "node:") {
			continue
		}
		if script.Length <= min(maxSource, room) && !onDisk(script) {
			missing = append(missing, len(own))
			room -= script.Length
		}
		own = append(own, script)
	}
	if len(missing) == 0 {
		return own, nil
	}
	err = s.withDebugger(ctx, func() error {
		for _, i := range missing {
			r, err := proto.Call(ctx, s, debugger.GetScriptSource, debugger.GetScriptSourceParams{ScriptID: proto.ScriptID(own[i].ID)})
			if err != nil {
				if ctx.Err() != nil || errors.Is(err, ErrClosed) {
					return err
				}
				continue // collected since
			}
			own[i].Source = r.ScriptSource
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("scripts: %w", err)
	}
	return own, nil
}

// onDisk reports whether a file has the script's text, as far as its length
// tells: V8's hash of it is computed in another way in each version.
func onDisk(script Script) bool {
	path := script.URL
	if u, err := url.Parse(path); err == nil && u.Scheme == "file" {
		path = u.Path
	}
	if !filepath.IsAbs(path) {
		return false
	}
	text, err := os.ReadFile(path)
	return err == nil && utf16Length(text) == script.Length
}

// utf16Length is the length of a text as JavaScript counts it; Node drops a byte
// order mark.
func utf16Length(text []byte) int {
	n := 0
	for _, r := range string(bytes.TrimPrefix(text, []byte("\ufeff"))) {
		n += max(1, utf16.RuneLen(r))
	}
	return n
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
	defer undo(ctx, s, debugger.Disable, undoPatience)
	if _, err := proto.Call(ctx, s, debugger.Enable, debugger.EnableParams{}); err != nil {
		return err
	}
	if _, err := proto.Call(ctx, s, debugger.SetSkipAllPauses, debugger.SetSkipAllPausesParams{Skip: true}); err != nil {
		return err
	}
	return f()
}
