package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"heapsnap/cdp"
	"heapsnap/heapsnap"
	"heapsnap/redact"
	"heapsnap/report"
)

// redactKey is the variable that has the key where no file does.
const redactKey = "HEAPSNAP_REDACT_KEY"

// redactFlags are how texts are replaced.
type redactFlags struct {
	names   string
	keyFile string
}

func (f *redactFlags) flags(flags *pflag.FlagSet, prefix string) {
	flags.StringVar(&f.names, prefix+"names", string(redact.NamesOfCode),
		"names that stay: code (those that the program's code spells), all (that do not look like data), none (Node's own only)")
	flags.StringVar(&f.keyFile, prefix+"key-file", "", "`FILE` with the secret that makes the replacements; else $"+redactKey+", else one of this run")
}

func (f *redactFlags) redactor() (*redact.Redactor, error) {
	o := redact.Options{Names: redact.Names(f.names)}
	secret := os.Getenv(redactKey)
	from := "$" + redactKey
	if f.keyFile != "" {
		text, err := os.ReadFile(f.keyFile)
		if err != nil {
			return nil, usageError{err}
		}
		secret, from = string(bytes.TrimSpace(text)), f.keyFile
		if secret == "" {
			return nil, usagef("%s is empty: write a key into it, such as that of openssl rand -hex 32", f.keyFile)
		}
	}
	if secret != "" {
		if len(secret) < 16 {
			return nil, usagef("%s: the key has %d characters: want 16 or more that nobody can guess, such as those of openssl rand -hex 32", from, len(secret))
		}
		key := sha256.Sum256([]byte(secret))
		o.Key = key[:]
	}
	r, err := redact.New(o)
	if err != nil {
		return nil, usageError{err}
	}
	return r, nil
}

func newRedact(a *app) *cobra.Command {
	var f redactFlags
	var path string
	cmd := &cobra.Command{
		Use:   "redact FILE -o OUT",
		Short: "A copy of a snapshot without the texts of the program, to give away",
		Long: `Copy a heap snapshot and replace the texts that the program worked with:
strings, regular expressions, descriptions of symbols, numbers, queries in URLs,
and names of properties that no code of the program spells, as those of objects
that are used as dictionaries. Equal texts stay equal. Ids, types, sizes and
references are not touched: every figure stays, and heapsnap and DevTools find
the same in it.

Names of functions, classes, variables and scripts stay, and those of properties
that are in the program's code. What that means, and what it does not protect, is
in docs/redaction.md; --names none leaves Node's own only. A sidecar beside FILE
gets one beside OUT.

Snapshots that are redacted with one key can be compared by names, too. The key
is a secret: with it, guesses can be tried. Without one, each run makes its own
and forgets it.

To have no secret on a disk at all: heapsnap capture --redact.`,
		Example: `  heapsnap redact app.heapsnapshot -o to-share.heapsnapshot.zst
  openssl rand -hex 32 > key; heapsnap redact --key-file key 1.heapsnapshot -o r1.heapsnapshot`,
		Args: arguments(1, 1, "FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if path == "" {
				return usagef("redact: where to? -o OUT, such as -o redacted.heapsnapshot.zst, or -o - for stdout")
			}
			r, err := f.redactor()
			if err != nil {
				return err
			}
			return a.redact(cmd.Context(), r, args[0], path)
		},
	}
	cmd.Flags().StringVarP(&path, "output", "o", "", "`FILE` to write, compressed if it ends in .gz or .zst; - is stdout")
	f.flags(cmd.Flags(), "")
	return cmd
}

func (a *app) redact(ctx context.Context, r *redact.Redactor, from, to string) error {
	if to == "-" && a.width > 0 {
		return usageError{fmt.Errorf("redact -o -: %w", errNotTerminal)}
	}
	if same, err := sameFile(from, to); err != nil || same {
		return usagef("redact %s -o %s: the copy cannot be the file itself", from, to)
	}
	var in io.Reader = a.in
	if from != "-" {
		f, err := os.Open(from)
		if err != nil {
			return err
		}
		defer f.Close()
		in = f
	}
	text, _, err := heapsnap.Decompress(in)
	if err != nil {
		return fmt.Errorf("%s: %w", from, err)
	}
	defer text.Close()
	out := a.out
	var file *finalFile
	if to != "-" {
		if file, err = createFinal(to, 0o600); err != nil {
			return usagef("-o %s: %w", to, err)
		}
		defer file.abandon()
		out = file
	}
	compressed, err := compressor(out, to)
	if err != nil {
		return err
	}
	line := a.progress()
	defer line.clear()
	counts, err := r.Copy(ctx, compressed, text, func(read int64) { line.show("redacting: %s", report.FormatBytes(uint64(read))) })
	if err != nil {
		if ctx.Err() != nil || errors.As(err, new(*fs.PathError)) {
			return err
		}
		return fmt.Errorf("%s: %w", from, err)
	}
	if err := compressed.Close(); err != nil {
		return err
	}
	line.clear()
	if file != nil {
		if err := file.complete(); err != nil {
			return err
		}
		if err := redactSidecar(r, from, to); err != nil {
			return err
		}
	}
	a.note("%s of %s texts replaced (key %s, names: %s)", report.FormatCount(counts.Replaced), report.FormatCount(counts.Strings), r.KeyID(), r.Names())
	return nil
}

func sameFile(from, to string) (bool, error) {
	a, err := os.Stat(from)
	if err != nil {
		return false, nil // what it is, opening it will tell
	}
	b, err := os.Stat(to)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil && os.SameFile(a, b), err
}

// redactSidecar writes the sidecar of the copy, if the original has one.
func redactSidecar(r *redact.Redactor, from, to string) error {
	m, err := cdp.ReadMeta(from)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return redactMeta(r, m).Write(to)
}

// redactMeta is the sidecar of a redacted snapshot: without what it has of the
// program's text.
func redactMeta(r *redact.Redactor, m cdp.Meta) cdp.Meta {
	m.Redacted = &cdp.Redacted{KeyID: r.KeyID(), Names: string(r.Names())}
	m.Script = r.Path(m.Script)
	for _, memory := range []**cdp.Memory{&m.Before, &m.After} {
		if *memory != nil {
			copied := **memory
			copied.Script = r.Path(copied.Script)
			*memory = &copied
		}
	}
	scripts := m.Scripts
	m.Scripts = nil
	for _, s := range scripts {
		s.URL = r.Path(s.URL)
		s.SourceMapURL = r.SourceMap(s.SourceMapURL)
		s.Hash = "" // a guess at the text could be tried
		if s.Source != "" {
			s.Source = r.Source(s.Source)
		}
		m.Scripts = append(m.Scripts, s)
	}
	return m
}
