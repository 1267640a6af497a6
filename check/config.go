package check

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"
)

// ConfigName is the file that is looked for, from a folder upwards.
const ConfigName = ".heapsnap.yaml"

// A Config is what a file says. The keys of settings are names of flags, which
// only the command line knows; the rest is checked here.
type Config struct {
	Path      string
	Settings  map[string]map[string]Setting // "check" and "loop" -> flag -> value
	Scenarios []Scenario
	Policy    Policy // without Accepted and Today
	Baseline  Setting
}

// A Scenario is settings of check under a name.
type Scenario struct {
	Name     string
	Command  []string
	Settings map[string]Setting
	Where    string
}

// A Setting is a flag's value, several where it may be repeated.
type Setting struct {
	Values []string
	Where  string // FILE:LINE
}

// FindConfig returns the path of the nearest file, "" if there is none.
func FindConfig(dir string) (string, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	for ; ; dir = filepath.Dir(dir) {
		name := filepath.Join(dir, ConfigName)
		switch _, err := os.Stat(name); {
		case err == nil:
			return name, nil
		case !errors.Is(err, os.ErrNotExist):
			return "", err
		case dir == filepath.Dir(dir):
			return "", nil
		}
	}
}

// ReadConfig reads a file. Errors name the file and the line.
func ReadConfig(name string) (*Config, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	c := &Config{Path: name, Settings: map[string]map[string]Setting{}}
	root, err := parseYAML(name, text)
	if err != nil || root == nil {
		return c, err
	}
	return c, root.each(func(key string, v yamlNode) (err error) {
		switch key {
		case "check", "loop":
			c.Settings[key], err = v.settings("")
		case "scenarios":
			err = v.each(func(name string, v yamlNode) error {
				s := Scenario{Name: name, Where: v.where()}
				if s.Settings, err = v.settings("command"); err != nil {
					return err
				}
				if command, ok := v.key("command"); ok {
					if s.Command, err = command.texts(); err != nil {
						return err
					}
				}
				c.Scenarios = append(c.Scenarios, s)
				return nil
			})
		case "budgets":
			c.Policy.Budgets, err = v.budgets()
		case "ignore":
			err = v.items(func(item yamlNode) error {
				i, err := item.ignore()
				c.Policy.Ignore = append(c.Policy.Ignore, i)
				return err
			})
		case "baseline":
			c.Baseline.Where = v.where()
			c.Baseline.Values, err = v.texts()
		default:
			return v.errorf("%q is no key: there are check, loop, scenarios, budgets, ignore and baseline", key)
		}
		return err
	})
}

// A yamlNode is a part of a YAML file that knows its place.
type yamlNode struct {
	*yaml.Node
	file string
}

// parseYAML returns nil for an empty file.
func parseYAML(file string, text []byte) (*yamlNode, error) {
	var doc yaml.Node
	if err := yaml.Unmarshal(text, &doc); err != nil {
		return nil, fmt.Errorf("%s: %s", file, strings.TrimPrefix(err.Error(), "yaml: "))
	}
	if len(doc.Content) == 0 {
		return nil, nil
	}
	return &yamlNode{doc.Content[0], file}, nil
}

func (n yamlNode) where() string { return fmt.Sprintf("%s:%d", n.file, n.Line) }

func (n yamlNode) errorf(format string, args ...any) error {
	return fmt.Errorf("%s: %s", n.where(), fmt.Sprintf(format, args...))
}

// each calls do for the keys of a mapping, in their order.
func (n yamlNode) each(do func(key string, value yamlNode) error) error {
	if n.Kind == yaml.ScalarNode && n.Tag == "!!null" {
		return nil
	}
	if n.Kind != yaml.MappingNode {
		return n.errorf("want keys with values here")
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := yamlNode{n.Content[i], n.file}, yamlNode{n.Content[i+1], n.file}
		if seen[key.Value] {
			return key.errorf("%q is here twice", key.Value)
		}
		seen[key.Value] = true
		value.Node = atLine(value.Node, key.Line)
		if err := do(key.Value, value); err != nil {
			return err
		}
	}
	return nil
}

// atLine places a value at its key: a list starts a line later.
func atLine(n *yaml.Node, line int) *yaml.Node {
	placed := *n
	placed.Line = line
	return &placed
}

func (n yamlNode) key(name string) (found yamlNode, ok bool) {
	_ = n.each(func(key string, v yamlNode) error {
		if key == name {
			found, ok = v, true
		}
		return nil
	})
	return found, ok
}

func (n yamlNode) items(do func(item yamlNode) error) error {
	if n.Kind != yaml.SequenceNode {
		return n.errorf("want a list here")
	}
	for _, item := range n.Content {
		if err := do(yamlNode{item, n.file}); err != nil {
			return err
		}
	}
	return nil
}

func (n yamlNode) text() (string, error) {
	if n.Kind != yaml.ScalarNode || n.Tag == "!!null" {
		return "", n.errorf("want one value here")
	}
	return n.Value, nil
}

// texts are the values of a list, or the one value.
func (n yamlNode) texts() (out []string, err error) {
	if n.Kind != yaml.SequenceNode {
		s, err := n.text()
		return []string{s}, err
	}
	err = n.items(func(item yamlNode) error {
		s, err := item.text()
		out = append(out, s)
		return err
	})
	return out, err
}

func (n yamlNode) settings(except string) (map[string]Setting, error) {
	out := map[string]Setting{}
	return out, n.each(func(key string, v yamlNode) (err error) {
		if key == except {
			return nil
		}
		s := Setting{Where: v.where()}
		s.Values, err = v.texts()
		out[key] = s
		return err
	})
}

func (n yamlNode) budgets() (b Budgets, err error) {
	limits := func(v yamlNode) (map[string]Limit, error) {
		out := map[string]Limit{}
		return out, v.each(func(name string, v yamlNode) (err error) {
			out[name], err = v.limit()
			return err
		})
	}
	return b, n.each(func(key string, v yamlNode) (err error) {
		total := map[string]**Limit{"growth": &b.Growth, "unexplained": &b.Unexplained, "external": &b.External}
		if at, ok := total[key]; ok {
			l, err := v.limit()
			if err == nil && !l.Bytes {
				return v.errorf("%s: want a size, such as 64KiB", key)
			}
			*at = &l
			return err
		}
		switch key {
		case "rules":
			b.Rules, err = limits(v)
		case "holders":
			b.Holders, err = limits(v)
		case "classes":
			b.Classes, err = limits(v)
		case "loop":
			b.Loop, err = v.loopBudget()
		default:
			return v.errorf("%q is no budget: there are growth, unexplained, external, rules, holders, classes and loop", key)
		}
		return err
	})
}

func (n yamlNode) loopBudget() (b LoopBudget, err error) {
	return b, n.each(func(key string, v yamlNode) error {
		into, where := &b.Block, &b.BlockWhere
		switch key {
		case "block":
		case "delay-p99":
			into, where = &b.DelayP99, &b.DelayWhere
		default:
			return v.errorf("%q is no budget of the loop: there are block and delay-p99", key)
		}
		text, err := v.text()
		if err != nil {
			return err
		}
		if *into, err = time.ParseDuration(text); err != nil || *into < time.Millisecond {
			return v.errorf("%s: %q: want a time of 1ms or more, such as 200ms", key, text)
		}
		*where = v.where()
		return nil
	})
}

var sizeUnits = map[string]float64{"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "KB": 1e3, "MB": 1e6, "GB": 1e9}

func (n yamlNode) limit() (Limit, error) {
	text, err := n.text()
	if err != nil {
		return Limit{}, err
	}
	l, err := ParseLimit(text)
	if err != nil {
		return l, n.errorf("%v", err)
	}
	l.Where = n.where()
	return l, nil
}

// ParseLimit reads "20", a number of objects, or "64KiB", a size.
func ParseLimit(text string) (Limit, error) {
	number := strings.TrimRight(text, "BKMGiabcdefghjklmnopqrstuvwxyz ")
	unit := strings.TrimSpace(text[len(number):])
	v, err := strconv.ParseFloat(number, 64)
	factor, known := sizeUnits[unit]
	switch {
	case err != nil || v < 0 || unit != "" && !known:
		return Limit{}, fmt.Errorf("%q: want a number of objects, or a size such as 64KiB", text)
	case unit == "":
		return Limit{Value: v}, nil
	}
	return Limit{Value: v * factor, Bytes: true}, nil
}

func (n yamlNode) ignore() (i Ignore, err error) {
	i.Where = n.where()
	err = n.each(func(key string, v yamlNode) error {
		text, err := v.text()
		if err != nil {
			return err
		}
		switch key {
		case "fingerprint":
			i.Fingerprint = text
		case "rule":
			i.Rule = text
		case "class":
			i.Class = text
		case "path":
			i.Path = text
		case "reason":
			i.Reason = strings.TrimSpace(text)
		case "expires":
			if i.Expires, err = time.Parse(time.DateOnly, text); err != nil {
				return v.errorf("expires: %q: want a day, such as 2027-01-31", text)
			}
		default:
			return v.errorf("%q is no key of an ignore: there are fingerprint, rule, class, path, reason and expires", key)
		}
		return nil
	})
	switch {
	case err != nil:
	case i.Reason == "":
		err = n.errorf("an ignore needs a reason")
	case i.Fingerprint == "" && i.Rule == "" && i.Class == "" && i.Path == "":
		err = n.errorf("an ignore needs one of fingerprint, rule, class and path")
	}
	return i, err
}
