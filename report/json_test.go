package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

func asJSON(t *testing.T, r *Report) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := Write(&b, r, JSON, Options{}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func summaryJSON(t *testing.T, s *Summary) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := WriteSummary(&b, s, JSON, Options{}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestJSONFollowsItsSchema(t *testing.T) {
	compiler := jsonschema.NewCompiler()
	compiler.AssertFormat()
	check := func(schema, name string, doc []byte) {
		t.Run(name, func(t *testing.T) {
			s, err := compiler.Compile("../docs/" + schema)
			if err != nil {
				t.Fatal(err)
			}
			v, err := jsonschema.UnmarshalJSON(bytes.NewReader(doc))
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Validate(v); err != nil {
				t.Errorf("%v\n%s", err, doc)
			}
		})
	}
	for name, r := range map[string]*Report{
		"leak": leaking(), "clean": clean(), "inconclusive": inconclusive(), "suspects": suspects(), "many": many(),
		"nothing set": {Verdict: Clean},
		"nil slices":  {Verdict: Leak, Findings: []Finding{{Verdict: Leak}}, Quiet: []Quiet{{}}},
	} {
		check("report.schema.json", name, asJSON(t, r))
	}
	for i, s := range hostileStrings {
		check("report.schema.json", fmt.Sprintf("hostile string %d", i), asJSON(t, hostile(s)))
	}
	check("summary.schema.json", "summary", summaryJSON(t, summary()))
	for name, l := range loops() {
		check("loop.schema.json", name, loopJSON(t, l))
	}
	check("summary.schema.json", "empty summary", summaryJSON(t, &Summary{Head: Head{Command: "summary"}}))
}

// schemaNode is what the tests read of a JSON Schema.
type schemaNode struct {
	Description string                `json:"description"`
	Ref         string                `json:"$ref"`
	Properties  map[string]schemaNode `json:"properties"`
	Required    []string              `json:"required"`
	Items       *schemaNode           `json:"items"`
	Defs        map[string]schemaNode `json:"$defs"`
}

// TestSchemaAndModelAgree holds every json tag against the schema and back,
// and that every field is described and rightly required.
func TestSchemaAndModelAgree(t *testing.T) {
	for file, model := range map[string]any{
		"report.schema.json": Report{}, "summary.schema.json": Summary{}, "loop.schema.json": Loop{}, "stuck.schema.json": Stuck{},
		"doctor.schema.json": Doctor{}, "sample.schema.json": Sample{},
		"watch.schema.json": Watch{}, "watch-line.schema.json": WatchLine{}, "oom.schema.json": OOM{},
		"history.schema.json": History{},
	} {
		raw, err := os.ReadFile("../docs/" + file)
		if err != nil {
			t.Fatal(err)
		}
		var root schemaNode
		if err := json.Unmarshal(raw, &root); err != nil {
			t.Fatal(err)
		}
		used := map[string]bool{}
		agree(t, file, reflect.TypeOf(model), root, root.Defs, used)
		for name := range root.Defs {
			if !used[name] {
				t.Errorf("%s: $defs/%s is not used", file, name)
			}
		}
	}
}

func agree(t *testing.T, at string, typ reflect.Type, s schemaNode, defs map[string]schemaNode, used map[string]bool) {
	if s.Description == "" {
		t.Errorf("%s has no description", at)
	}
	if name, ok := strings.CutPrefix(s.Ref, "#/$defs/"); ok {
		used[name] = true
		s = defs[name]
	}
	for typ.Kind() == reflect.Pointer {
		typ = typ.Elem()
	}
	switch {
	case typ.Kind() == reflect.Slice:
		if s.Items == nil {
			t.Errorf("%s: the model has a list, the schema does not", at)
			return
		}
		agree(t, at+"[]", typ.Elem(), *s.Items, defs, used)
	case typ.Kind() == reflect.Struct && typ != reflect.TypeOf(time.Time{}):
		missing := maps.Clone(s.Properties)
		for _, field := range reflect.VisibleFields(typ) {
			name, options, _ := strings.Cut(field.Tag.Get("json"), ",")
			if name == "-" || field.Anonymous {
				continue // of what is embedded, the fields
			}
			p, ok := s.Properties[name]
			if !ok {
				t.Errorf("%s.%s is not in the schema", at, name)
				continue
			}
			delete(missing, name)
			if optional := strings.Contains(options, "omitempty"); optional == slices.Contains(s.Required, name) {
				t.Errorf("%s.%s: omitempty is %v, required in the schema is %v", at, name, optional, !optional)
			}
			agree(t, at+"."+name, field.Type, p, defs, used)
		}
		for name := range missing {
			t.Errorf("%s.%s is in the schema and not in the model", at, name)
		}
	}
}

func TestJSONComesBackAsItWas(t *testing.T) {
	want := leaking()
	var got Report
	if err := json.Unmarshal(asJSON(t, want), &got); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(&got, want) {
		t.Errorf("read back:\n%+v\nwrote:\n%+v", got, want)
	}
}

func TestJSONKeepsStringsAndHidesControls(t *testing.T) {
	s := "<b>&'\u202e\u009b\x7f\U000e0041 漢"
	out := asJSON(t, &Report{Verdict: Clean, Sentence: s})
	if !bytes.Contains(out, []byte("<b>&'")) {
		t.Errorf("HTML is escaped: %s", out)
	}
	for _, r := range string(out) {
		if r != '\n' && !unicode.IsPrint(r) {
			t.Errorf("%U stands as it is in %s", r, out)
		}
	}
	var r Report
	if err := json.Unmarshal(out, &r); err != nil || r.Sentence != s {
		t.Errorf("read back %q, %v, want %q", r.Sentence, err, s)
	}
}

func TestWriteDoesNotChangeTheReport(t *testing.T) {
	r := &Report{Findings: []Finding{{}}, Quiet: []Quiet{{}}}
	for _, f := range Formats() {
		if err := Write(&bytes.Buffer{}, r, f, Options{}); err != nil {
			t.Errorf("%s: %v", f, err)
		}
	}
	if !reflect.DeepEqual(r, &Report{Findings: []Finding{{}}, Quiet: []Quiet{{}}}) {
		t.Errorf("writing changed the report to %+v", r)
	}
}
