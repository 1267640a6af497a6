package check

import (
	"heapsnap/cdp"
	"heapsnap/jssource"
)

// sources returns where a report on the snapshots in paths takes scripts from: what
// is given, else their sidecars for those whose text no file has, the last one's
// first, else files. A run has scripts in the sidecars of its first capture and of
// its last: while it goes on, a script that was compiled in memory has the name of
// a file with another text.
func sources(paths []string, given func(script string) ([]byte, error)) func(script string) ([]byte, error) {
	if given != nil {
		return given
	}
	texts := map[string]string{}
	for _, path := range paths {
		m, err := cdp.ReadMeta(path)
		if err != nil {
			continue // a snapshot needs no sidecar
		}
		for _, s := range m.Scripts {
			if s.Source != "" {
				texts[jssource.Path(s.URL)] = s.Source // the inspector makes URLs of all paths, a snapshot does not
			}
		}
	}
	if len(texts) == 0 {
		return nil
	}
	return func(script string) ([]byte, error) {
		if text, ok := texts[jssource.Path(script)]; ok {
			return []byte(text), nil
		}
		return jssource.ReadFile(script)
	}
}
