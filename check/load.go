package check

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"time"
)

var errLoadTimeout = errors.New("the load took longer than its timeout")

// load runs the load once.
func (r *run) load(ctx context.Context) error {
	if r.LoadTimeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, r.LoadTimeout, fmt.Errorf("%w of %s", errLoadTimeout, r.LoadTimeout))
		defer cancel()
	}
	switch {
	case r.LoadCommand != "":
		return r.runCommand(ctx)
	case r.LoadFunction != "":
		// Its value is dropped in the target: it may be large, or a cycle.
		call := fmt.Sprintf("(await globalThis[%s](%d), undefined)", jsString(r.LoadFunction), r.round)
		if err := r.session.Await(ctx, call, nil); err != nil {
			return fmt.Errorf("load function %s: %w", r.LoadFunction, err)
		}
		return nil
	}
	wait := time.NewTimer(r.Every)
	defer wait.Stop()
	select {
	case <-wait.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// runCommand runs the load command. What it leaves running is ended with it, and
// so is all of it when ctx ends.
func (r *run) runCommand(ctx context.Context) error {
	out := &tailWriter{w: r.LoadOutput}
	cmd := exec.CommandContext(ctx, "sh", "-c", r.LoadCommand)
	cmd.Env = append(os.Environ(), "HEAPSNAP_ROUND="+strconv.Itoa(r.round), "HEAPSNAP_PID="+strconv.Itoa(r.pid))
	cmd.Stdout, cmd.Stderr = out, out
	cmd.WaitDelay = time.Second // for a child that keeps the output open
	ownGroup(cmd)
	err := cmd.Run()
	if cmd.Process != nil {
		killGroup(cmd.Process.Pid) // what it left in the background
	}
	switch {
	case err == nil || errors.Is(err, exec.ErrWaitDelay):
		return nil
	case ctx.Err() != nil:
		return fmt.Errorf("load command: %w", context.Cause(ctx))
	}
	text := fmt.Sprintf("load command %q: %v", r.LoadCommand, err)
	if tail := out.lines(); len(tail) > 0 {
		text += "; its last lines:\n  " + strings.Join(tail, "\n  ")
	} else if r.round == 1 && r.Ready == "" {
		text += ": if the program was not up yet, say which URL to wait for"
	}
	return errors.New(text)
}

// tailWriter passes on what is written and keeps the end of it.
type tailWriter struct {
	mu   sync.Mutex
	w    io.Writer
	tail []byte
}

const (
	tailBytes = 4 << 10
	tailLines = 10
)

func (t *tailWriter) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.tail = append(t.tail, p...)
	if n := len(t.tail) - tailBytes; n > 0 {
		t.tail = append(t.tail[:0], t.tail[n:]...)
	}
	// A reader who went away must not fail the load.
	_, _ = t.w.Write(p)
	return len(p), nil
}

func (t *tailWriter) lines() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	text := strings.TrimSpace(string(t.tail))
	if text == "" {
		return nil
	}
	lines := strings.Split(text, "\n")
	return lines[max(0, len(lines)-tailLines):]
}

// jsString is the text as a JavaScript string literal.
func jsString(text string) string {
	b, err := json.Marshal(text)
	if err != nil {
		return `""` // a Go string always has a JSON form
	}
	return string(b)
}
