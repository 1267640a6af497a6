package leak

import (
	"encoding/json"
	"strings"
)

const modulesFolder = "/node_modules/"

// packageOf returns the name of the npm package that a script belongs to and
// the package's folder; the name is empty for the program's own scripts and
// for Node's. The folder behind the last node_modules counts: a package may
// bring packages of its own.
func packageOf(script string) (name, folder string) {
	at := strings.LastIndex(script, modulesFolder)
	if at < 0 {
		return "", ""
	}
	rest := script[at+len(modulesFolder):]
	if strings.HasPrefix(rest, ".pnpm/") { // a store, not a scope
		return "", ""
	}
	name, after, ok := strings.Cut(rest, "/")
	if ok && strings.HasPrefix(name, "@") {
		second, _, _ := strings.Cut(after, "/")
		name += "/" + second
	}
	return name, script[:at+len(modulesFolder)] + name
}

// ownScript reports whether a script is the program's own: neither Node's nor
// that of a package.
func ownScript(script string) bool {
	return userScript(script) && !strings.Contains(script, modulesFolder)
}

// packageLabel is "name@version" of the package that a script belongs to, the
// name alone if its package.json cannot be read, "" for the program's own.
func (p *Pass) packageLabel(script string) string {
	name, folder := packageOf(script)
	if name == "" {
		return ""
	}
	var manifest struct{ Version string }
	if json.Unmarshal(p.text(folder+"/package.json"), &manifest) != nil || manifest.Version == "" {
		return name
	}
	return name + "@" + manifest.Version
}
