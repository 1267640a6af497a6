package report

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// views are examples of all views, with s in every string that may come from
// the heap or the command line.
func views(s string) map[string]View {
	head := func(command string) ViewHead {
		return ViewHead{Head: Head{Command: command, Version: s}, Capture: Capture{Name: s, NodeVersion: s, Mode: s, Objects: 9, Bytes: 9}, Warnings: []string{s}}
	}
	object := func(id uint64, name, kind string) Object {
		return Object{ID: id, Class: "Class" + s, Name: name + s, Type: kind, Self: 40, Retained: 12345, Distance: int(id % 9),
			Detached: "detached", Location: &Place{"app.js", 12, 7}}
	}
	session := object(1234567, "Session", "object")
	far := session
	far.Distance, far.Location, far.Detached = -1, nil, ""
	refs := []Reference{
		{"property", "sessions" + s, session}, {"element", "7", object(5, "text", "string")}, {"context", "feed" + s, object(7, "", "closure")},
		{"internal", "map" + s, object(9, "system / Map", "hidden")}, {"weak", "3", object(11, "", "native")}, {"property", "", far},
	}
	end := PathEdge{Type: "element", Edge: "3", Object: object(15, "Array", "object"), Root: &refs[0]}
	path := end
	for i := range 45 {
		path = PathEdge{Type: "property", Edge: fmt.Sprint("next", i, s), Object: object(uint64(100+i), "Node", "object"), Retainers: []PathEdge{path}}
		if i%9 == 0 {
			path.Retainers = append(path.Retainers, end, end)
		}
	}
	var steps []PathStep
	for i := range 40 {
		steps = append(steps, PathStep{"internal", "table" + s, object(uint64(i), "Map", "object")})
	}
	steps[0].Type, steps[0].Edge = "", ""
	group := StringGroup{Text: "GET /users" + s, Length: 10, Certain: true, Count: 2195, Self: 9, Retained: 540000, Smallest: 40, Largest: 40, Wasted: 500000, Objects: []uint64{3, 5}}
	cut := group
	cut.Cut, cut.Certain, cut.Largest = true, false, 5000
	var chain []Object
	for i := range 40 {
		chain = append(chain, object(uint64(i), "Chain", "object"))
	}
	return map[string]View{
		"show":      &ObjectView{head("show"), session, &far, 3, 2, 340, 10, "retained", refs},
		"retainers": &RetainersView{head("retainers"), far, 340, 2, false, 0, refs},
		"paths":     &PathsView{head("paths"), session, PathLimits{30, 5000, 100}, []string{"depth", "nodes"}, []PathEdge{path, end}, nil},
		"shortest":  &PathsView{head("paths"), far, PathLimits{30, 5000, 100}, nil, nil, steps},
		"dominated": &DominatedView{head("dominated"), session, chain, 400, 0, []Object{session, far}},
		"strings":   &StringsView{head("strings"), StringTotal{2, 4000, 9, 7, 5}, "wasted", 0, []StringGroup{group, cut}},
	}
}

// bare are views of an object that has nothing.
var bare = map[string]View{
	"show": &ObjectView{ViewHead: ViewHead{Head: Head{Command: "show"}}, Sort: "file"}, "retainers": &RetainersView{ViewHead: ViewHead{Head: Head{Command: "retainers"}}},
	"paths":     &PathsView{ViewHead: ViewHead{Head: Head{Command: "paths"}}, Limits: PathLimits{1, 1, 1}},
	"dominated": &DominatedView{ViewHead: ViewHead{Head: Head{Command: "dominated"}}}, "strings": &StringsView{ViewHead: ViewHead{Head: Head{Command: "strings"}}, Sort: "retained"},
}

func TestViewsLook(t *testing.T) {
	for name, v := range views("") {
		golden(t, "view-"+name+".txt", written(t, WriteView, v, Text, Options{}))
	}
	for name, v := range bare {
		golden(t, "view-bare-"+name+".txt", written(t, WriteView, v, Text, Options{}))
	}
}

func TestViewsOfHostileHeaps(t *testing.T) {
	for i, s := range hostileStrings {
		for name, v := range views(s) {
			for _, width := range []int{20, 40, 80, 200} {
				for _, verbose := range []bool{false, true} {
					t.Run(fmt.Sprintf("%s, string %d, width %d, verbose %v", name, i, width, verbose), func(t *testing.T) {
						// The snapshot's name is a path, and whole on purpose.
						v := v
						head := reflect.ValueOf(v).Elem().FieldByName("ViewHead").Addr().Interface().(*ViewHead)
						head.Capture.Name = "app.heapsnapshot"
						safe(t, written(t, WriteView, v, Text, Options{Width: width, Verbose: verbose}), max(width, minWidth))
					})
				}
			}
			safe(t, written(t, WriteView, v, Text, Options{}), maxPath+40)
		}
	}
}

func TestVerboseViewsShowEverything(t *testing.T) {
	for name, mark := range map[string]string{"shortest": "Map @", "dominated": "Chain @"} {
		short, long := string(written(t, WriteView, views("")[name], Text, Options{})), string(written(t, WriteView, views("")[name], Text, Options{Verbose: true}))
		if s, l := strings.Count(short, mark), strings.Count(long, mark); s != 2*maxSteps || l != 40 {
			t.Errorf("%s: %d of %q, %d with Verbose, want %d and 40", name, s, mark, l, 2*maxSteps)
		}
		if !strings.Contains(short, "--verbose") || strings.Contains(long, "--verbose") {
			t.Errorf("%s: wrong hint at --verbose in\n%s\nor\n%s", name, short, long)
		}
	}
	v := views("")["paths"].(*PathsView)
	for range 5 {
		v.Paths = append(v.Paths, v.Paths...)
	}
	if out := string(written(t, WriteView, View(v), Text, Options{})); strings.Count(out, "\n") > 2*pathRows || !strings.Contains(out, "more lines: --verbose shows them") {
		t.Errorf("the forest is not cut:\n%s", out)
	}
}

func TestViewsFollowTheirSchema(t *testing.T) {
	s, err := jsonschema.NewCompiler().Compile("../docs/views.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	check := func(name string, v View) {
		t.Run(name, func(t *testing.T) {
			out := written(t, WriteView, v, JSON, Options{})
			doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(out))
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Validate(doc); err != nil {
				t.Errorf("%v\n%.2000s", err, out)
			}
			safe(t, out, 0)
		})
	}
	for name, v := range bare {
		check("bare "+name, v)
	}
	for i, text := range append(hostileStrings, "") {
		for name, v := range views(text) {
			check(fmt.Sprintf("%s %d", name, i), v)
		}
	}
}

// Every definition of the schema has the fields of its model, those that may
// be missing are not required, and all are described.
func TestViewsSchemaAndModelAgree(t *testing.T) {
	raw, err := os.ReadFile("../docs/views.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	var root schemaNode
	if err := json.Unmarshal(raw, &root); err != nil {
		t.Fatal(err)
	}
	models := map[string]any{
		"show": ObjectView{}, "retainers": RetainersView{}, "paths": PathsView{}, "dominated": DominatedView{}, "strings": StringsView{},
		"object": Object{}, "place": Place{}, "reference": Reference{}, "limits": PathLimits{}, "pathEdge": PathEdge{}, "step": PathStep{},
		"total": StringTotal{}, "group": StringGroup{}, "capture": Capture{},
	}
	if got, want := slices.Sorted(maps.Keys(root.Defs)), slices.Sorted(maps.Keys(models)); !slices.Equal(got, want) {
		t.Errorf("definitions %q, want %q", got, want)
	}
	for name, model := range models {
		def := root.Defs[name]
		var fields, required []string
		for _, f := range reflect.VisibleFields(reflect.TypeOf(model)) {
			if f.Anonymous {
				continue
			}
			field, options, _ := strings.Cut(f.Tag.Get("json"), ",")
			fields = append(fields, field)
			if !strings.Contains(options, "omitempty") {
				required = append(required, field)
			}
			if p := def.Properties[field]; p.Description == "" || p.Items != nil && p.Items.Description == "" {
				t.Errorf("%s.%s has no description", name, field)
			}
		}
		slices.Sort(fields)
		slices.Sort(required)
		if got := slices.Sorted(maps.Keys(def.Properties)); !slices.Equal(got, fields) {
			t.Errorf("%s has the properties %q, want %q", name, got, fields)
		}
		slices.Sort(def.Required)
		if !slices.Equal(def.Required, required) {
			t.Errorf("%s requires %q, want %q", name, def.Required, required)
		}
		if def.Description == "" {
			t.Errorf("%s has no description", name)
		}
	}
}

func TestWriteViewLeavesTheViewAlone(t *testing.T) {
	v := &PathsView{Paths: []PathEdge{{}}}
	for _, f := range []Format{Text, JSON} {
		written(t, WriteView, View(v), f, Options{})
	}
	if !reflect.DeepEqual(v, &PathsView{Paths: []PathEdge{{}}}) {
		t.Errorf("writing changed the view to %+v", v)
	}
	if err := WriteView(&bytes.Buffer{}, v, SVG, Options{}); !errors.Is(err, ErrNoForm) {
		t.Errorf("WriteView as SVG = %v, want %v", err, ErrNoForm)
	}
}
