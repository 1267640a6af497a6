package jssource

import (
	"fmt"
	"net/url"
	"os"
	"strings"
)

// Path returns the path of a script that V8 names by a file URL, as it
// does ES modules; other names come back as they are.
func Path(script string) string {
	if strings.HasPrefix(script, "file://") {
		if u, err := url.Parse(script); err == nil && u.Path != "" {
			return u.Path
		}
	}
	return script
}

// ReadFile reads a script from the file it is named by.
func ReadFile(script string) ([]byte, error) {
	path := Path(script)
	if !strings.HasPrefix(path, "/") {
		return nil, fmt.Errorf("%s: not a file", script)
	}
	return os.ReadFile(path)
}
