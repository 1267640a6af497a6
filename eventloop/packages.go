package eventloop

import (
	"context"
	"encoding/json"
	"strings"

	"heapsnap/jssource"
)

// maxPackages bounds how many packages the target is asked about.
const maxPackages = 40

// packages asks for the versions of the packages in which time was spent: the
// program's files may not be on this machine, or not later.
func (r *recorder) packages(ctx context.Context, threads []*thread) {
	var folders []string
	seen := map[string]bool{}
	for _, t := range threads {
		for _, s := range hotScripts(t.rec.Profiles) {
			if _, folder := jssource.Package(s.url); folder != "" && !seen[folder] && len(folders) < maxPackages {
				seen[folder] = true
				folders = append(folders, folder)
			}
		}
	}
	if len(folders) == 0 || r.rec.Ended { // its loop will not turn any more
		return
	}
	paths := make([]string, len(folders))
	for i, f := range folders {
		paths[i] = jssource.Path(f)
	}
	list, err := json.Marshal(paths)
	if err != nil {
		return // paths are texts
	}
	var versions []string
	if turn(ctx, r.main, strings.Replace(packageVersions, "PATHS", string(list), 1), &versions) != nil || len(versions) != len(folders) {
		return // names without a version are told as well
	}
	r.rec.Packages = map[string]string{}
	for i, v := range versions {
		if v != "" {
			r.rec.Packages[paths[i]] = v
		}
	}
}

var packageVersions = inTurn(`
	const fs = m('fs'), list = PATHS;
	return list.map((dir) => { try { return String(JSON.parse(fs.readFileSync(dir + '/package.json', 'utf8')).version || ''); } catch { return ''; } });`)
