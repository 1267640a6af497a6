package sourcemap

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"path"
	"regexp"
	"strings"
)

// ErrNone is returned by [Load] for a script that names no source map.
var ErrNone = errors.New("no source map")

// URL returns what a script's comment says where its map is: a name relative to
// the script, or a data: URI with the map in it; "" if there is none.
func URL(text []byte) string {
	_, url, _ := Cut(text)
	return string(url)
}

// Cut returns what a script has before and after its comment on where its map is;
// url is empty, and all of the script before it, where there is none. The last
// comment counts, and it has to stand among the last lines: other comments may
// follow, and brackets that close what a module runner put the module in.
func Cut(text []byte) (before, url, after []byte) {
	at := max(bytes.LastIndex(text, []byte("//# sourceMappingURL=")), bytes.LastIndex(text, []byte("//@ sourceMappingURL=")))
	if at < 0 {
		return text, nil, nil
	}
	line, after := text[at:], []byte(nil)
	if end := bytes.IndexByte(line, '\n'); end >= 0 {
		line, after = line[:end], line[end:]
	}
	for l := range bytes.Lines(after) {
		// Vite's module runner and vite-node end in "}}" (Vitest 1 to 4).
		if l = bytes.Trim(l, " \t\r\n{}()[];"); len(l) > 0 && !bytes.HasPrefix(l, []byte("//")) {
			return text, nil, nil // a bundle's quotation of one of its parts
		}
	}
	if url = bytes.TrimSpace(line[len("//# sourceMappingURL="):]); len(url) == 0 {
		return text, nil, nil
	}
	return text[:at], url, after
}

// Load returns the map of a script, whose name is a path or a file URL and whose
// text is what the process ran. read returns the contents of a file. Sources of
// the map it returns are paths: relative ones are resolved from where the map
// is, and those of a bundler ("webpack://app/./src/a.ts") are made relative.
func Load(script string, text []byte, read func(path string) ([]byte, error)) (*Map, error) {
	from := URL(text)
	if from == "" {
		return nil, ErrNone
	}
	script = filePath(script)
	var (
		data []byte
		err  error
		dir  = path.Dir(script)
	)
	switch {
	case strings.HasPrefix(from, "data:"):
		data, err = decodeData(from)
		from = "in " + script
	case scheme.MatchString(from) && !strings.HasPrefix(from, "file:"):
		return nil, fmt.Errorf("source map %s of %s: not a file", from, script)
	default:
		if from = filePath(from); !path.IsAbs(from) {
			if unescaped, uerr := url.PathUnescape(from); uerr == nil {
				from = unescaped
			}
			from = path.Join(dir, from)
		}
		dir = path.Dir(from)
		data, err = read(from)
	}
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("source map %s of %s: %w", from, script, err)
		}
		return nil, fmt.Errorf("source map %s: %w", from, err)
	}
	m, err := Parse(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", from, err)
	}
	for i, source := range m.sources {
		m.sources[i] = resolve(dir, source)
	}
	return m, nil
}

var scheme = regexp.MustCompile(`^[a-zA-Z][a-zA-Z0-9+.-]+:`) // two letters at least: not a drive

// filePath turns a file URL into a path.
func filePath(name string) string {
	if strings.HasPrefix(name, "file:") {
		if u, err := url.Parse(name); err == nil && u.Path != "" {
			return u.Path
		}
	}
	return name
}

// resolve returns the path of a map's source.
func resolve(dir, source string) string {
	source = filePath(source)
	switch at := scheme.FindString(source); {
	case source == "":
		return ""
	case at != "":
		// webpack://name/./src/a.ts, turbopack:///[project]/src/a.ts: the
		// bundler's name for the project's root, not a path of this machine.
		rest := strings.TrimPrefix(source[len(at):], "//")
		if slash := strings.IndexByte(rest, '/'); slash >= 0 {
			rest = rest[slash+1:]
		}
		rest, _, _ = strings.Cut(strings.TrimPrefix(rest, "[project]/"), "?")
		return strings.TrimPrefix(path.Clean("/"+rest), "/")
	case path.IsAbs(source):
		return source
	}
	return path.Join(dir, source)
}

// decodeData returns what is in a data: URI.
func decodeData(uri string) ([]byte, error) {
	head, body, ok := strings.Cut(strings.TrimPrefix(uri, "data:"), ",")
	if !ok {
		return nil, errors.New("a data: URI without a comma")
	}
	if strings.HasSuffix(head, ";base64") {
		return base64.StdEncoding.DecodeString(body)
	}
	text, err := url.PathUnescape(body)
	return []byte(text), err
}
