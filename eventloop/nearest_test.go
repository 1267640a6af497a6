package eventloop

import (
	"errors"
	"testing"

	"heapsnap/jssource"
)

// files is a disk for tests.
func files(all map[string]string) func(string) ([]byte, error) {
	return func(path string) ([]byte, error) {
		if text, ok := all[jssource.Path(path)]; ok {
			return []byte(text), nil
		}
		return nil, errors.New("no such file")
	}
}

func frame(function, url string) CallFrame {
	return CallFrame{FunctionName: function, ScriptID: "9", URL: url, LineNumber: 4, ColumnNumber: 9}
}

func TestTheNearestUseOfAPackageThatIsOnTheStackAlone(t *testing.T) {
	const app = `import web from 'web';
import { Picture } from '@pics/all';
import other from 'other';

const server = web();
server.use(web.json({ limit: '1mb' }));
server.use(web.form({ limit: '20mb' }));

async function thumbnail(data) {
  other.note(data);
  const picture = await Picture.read(data);
  return picture.toBuffer();
}
`
	disk := files(map[string]string{
		"/app/node_modules/web/package.json":         `{"version":"4.0.0","dependencies":{"body":"1"}}`,
		"/app/node_modules/body/package.json":        `{"version":"1.2.0","dependencies":{"qs":"6"}}`,
		"/app/node_modules/qs/package.json":          `{"version":"6.1.0"}`,
		"/app/node_modules/other/package.json":       `{"version":"9.0.0"}`,
		"/app/node_modules/@pics/all/package.json":   `{"version":"0.1.0","dependencies":{"@pics/core":"1"}}`,
		"/app/node_modules/@pics/core/package.json":  `{"version":"0.2.0","dependencies":{"jpeg":"1"}}`,
		"/app/node_modules/jpeg/package.json":        `{"version":"0.3.0"}`,
		"/app/node_modules/unrelated/package.json":   `{"version":"1.0.0"}`,
		"/app/node_modules/unrelated/lib/index.js":   "module.exports = 1;",
		"/app/node_modules/other/node_modules/x.txt": "",
	})
	sources := map[string]string{"file:///app/app.mjs": app}
	for _, tt := range []struct {
		name          string
		frames        []CallFrame
		function      string
		line          int
		pack, through string
	}{
		{"middleware, by the name of a function on the stack",
			[]CallFrame{frame("formParser", "/app/node_modules/body/lib/form.js"), frame("parse", "/app/node_modules/qs/lib/parse.js")}, "(anonymous)", 7, "qs@6.1.0", "web@4.0.0"},
		{"what is waited for",
			[]CallFrame{frame("step", "/app/node_modules/@pics/core/index.js"), frame("decode", "/app/node_modules/jpeg/decoder.js")}, "thumbnail", 11, "jpeg@0.3.0", "@pics/all@0.1.0"},
		{"nothing that the program imports leads there",
			[]CallFrame{frame("spin", "/app/node_modules/unrelated/lib/index.js")}, "spin", 5, "unrelated@1.0.0", ""},
	} {
		f := Analyze(busyIn(sources, nil, 5, tt.frames...), Options{Source: disk}).Findings[0]
		if f.Site.Function != tt.function || f.Site.Line != tt.line || f.Package != tt.pack || f.Through != tt.through {
			t.Errorf("%s: finding in %s, line %d of %s, package %q through %q; want %s, line %d, %q through %q",
				tt.name, f.Site.Function, f.Site.Line, f.Site.File, f.Package, f.Through, tt.function, tt.line, tt.pack, tt.through)
		}
	}
}

// The function that the program calls may have another name on the stack.
func TestTheCallOfAPackageUnderAnotherName(t *testing.T) {
	for _, tt := range []struct {
		name, body, below string
		line              int
	}{
		{"a function that the package has made", "  const page = Views.compile(text);\n  return page(req);", "ret", 4},
		{"an export under another name", "  const span = moment.duration(text);\n  return span.asMinutes();", "create__duration", 3},
		{"a default export", "  log(req);\n  return parse(text);", "parseString", 4},
		{"by the name of a file on the stack", "  const a = moment.open(text);\n  return moment.multiply(a, a);", "Array, Array", 4},
		{"of two calls the one in a loop", "  doc.text('title');\n  for (const line of lines) {\n    doc.text(line);\n  }", "text", 5},
	} {
		text := "const Views = require('views'), moment = require('views'), parse = require('views');\nfunction page(req) {\n" + tt.body + "\n}\n"
		app := CallFrame{FunctionName: "page", ScriptID: "1", URL: "/app/a.js", LineNumber: 1, ColumnNumber: 13}
		f := Analyze(busyIn(map[string]string{"/app/a.js": text}, nil, 5, app, frame(tt.below, "/app/node_modules/views/multiply.js")), Options{Source: noSource}).Findings[0]
		if f.Site.Line != tt.line {
			t.Errorf("%s: line %d, want %d of\n%s", tt.name, f.Site.Line, tt.line, text)
		}
	}
}
