package leak

import (
	"encoding/json"

	"heapsnap/jssource"
)

// ownScript reports whether a script is the program's own: neither Node's nor
// that of a package.
func ownScript(script string) bool {
	return userScript(script) && !jssource.InPackage(script)
}

// packageLabel is "name@version" of the package that a script belongs to, the
// name alone if its package.json cannot be read, "" for the program's own.
func (p *Pass) packageLabel(script string) string {
	name, folder := jssource.Package(script)
	if name == "" {
		return ""
	}
	var manifest struct{ Version string }
	if json.Unmarshal(p.text(folder+"/package.json"), &manifest) != nil || manifest.Version == "" {
		return name
	}
	return name + "@" + manifest.Version
}
