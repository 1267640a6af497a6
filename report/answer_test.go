package report

import (
	"bytes"
	"io"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// written is what a function of this package writes of r.
func written[R any](t *testing.T, write func(io.Writer, R, Format, Options) error, r R, f Format, o Options) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := write(&b, r, f, o); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// keepsTo holds documents against a schema.
func keepsTo(t *testing.T, name string, docs ...[]byte) {
	t.Helper()
	schema, err := jsonschema.NewCompiler().Compile("../docs/" + name)
	if err != nil {
		t.Fatal(err)
	}
	for _, doc := range docs {
		v, err := jsonschema.UnmarshalJSON(bytes.NewReader(doc))
		if err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(v); err != nil {
			t.Errorf("%v\n%s", err, doc)
		}
	}
}

// obeyedByTerminals fails if a text has what a terminal would obey and not show.
func obeyedByTerminals(t *testing.T, text []byte) {
	t.Helper()
	for line := range strings.Lines(string(text)) {
		if strings.ContainsFunc(strings.TrimSuffix(line, "\n"), func(r rune) bool { return r < ' ' || r == 0x7f || r == 0x9b || r == 0x202e }) {
			t.Errorf("a terminal would obey %q", line)
		}
	}
}
