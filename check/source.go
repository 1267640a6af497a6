package check

import (
	"heapsnap/cdp"
	"heapsnap/jssource"
)

// sources returns where a report on the snapshot in path takes scripts from: what
// is given, else its sidecar for those that no file has, else files.
func sources(path string, given func(script string) ([]byte, error)) func(script string) ([]byte, error) {
	if given != nil {
		return given
	}
	m, err := cdp.ReadMeta(path)
	if err != nil {
		return nil // a snapshot needs no sidecar
	}
	texts := map[string]string{}
	for _, s := range m.Scripts {
		if s.Source != "" {
			texts[jssource.Path(s.URL)] = s.Source // the inspector makes URLs of all paths, a snapshot does not
		}
	}
	return func(script string) ([]byte, error) {
		if text, ok := texts[jssource.Path(script)]; ok {
			return []byte(text), nil
		}
		return jssource.ReadFile(script)
	}
}
