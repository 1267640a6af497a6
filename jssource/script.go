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

const modules = "/node_modules/"

// InPackage reports whether a script was installed with an npm package.
func InPackage(script string) bool { return strings.Contains(script, modules) }

// Package returns the name of the npm package that a script belongs to and
// the package's folder; both are empty for the program's own scripts and
// for Node's. The folder behind the last node_modules counts: a package may
// bring packages of its own.
func Package(script string) (name, folder string) {
	at := strings.LastIndex(script, modules)
	if at < 0 {
		return "", ""
	}
	rest := script[at+len(modules):]
	if strings.HasPrefix(rest, ".pnpm/") { // a store, not a scope
		return "", ""
	}
	name, after, ok := strings.Cut(rest, "/")
	if ok && strings.HasPrefix(name, "@") {
		second, _, _ := strings.Cut(after, "/")
		name += "/" + second
	}
	return name, script[:at+len(modules)] + name
}
