package main

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"heapsnap/check"
	"heapsnap/report"
)

// Settings come from the command line, from variables of the environment, and
// from .heapsnap.yaml, in this order.

// configFlag is the flag that names the file; "" looks for it upwards.
const configFlag = "config"

// notSettings are flags that are about the configuration, or about nothing but
// one call.
// The global ones have taken effect before a command begins.
var notSettings = []string{configFlag, "scenario", "help", "quiet", "timeout"}

func addConfigFlag(cmd *cobra.Command) {
	cmd.Flags().String(configFlag, "", "configuration `FILE` (default: the nearest "+check.ConfigName+", from here upwards; none: without)")
}

// readConfig is nil where there is no file.
func readConfig(cmd *cobra.Command) (*check.Config, error) {
	name, err := cmd.Flags().GetString(configFlag)
	switch {
	case err != nil:
		return nil, err
	case name == "none":
		return nil, nil
	case name == "":
		if name, err = check.FindConfig("."); err != nil || name == "" {
			return nil, usageOrNil(err)
		}
	}
	c, err := check.ReadConfig(name)
	return c, usageOrNil(err)
}

func usageOrNil(err error) error {
	if err == nil {
		return nil
	}
	return usageError{err}
}

// variable is the environment's name of a command's flag: HEAPSNAP_CHECK_ROUNDS.
func variable(command, flag string) string {
	return "HEAPSNAP_" + strings.ToUpper(strings.ReplaceAll(command+"_"+flag, "-", "_"))
}

// configure sets the flags of a command that the command line did not, and says
// where each value is from. scenario may be nil.
func configure(cmd *cobra.Command, c *check.Config, scenario *check.Scenario) (origins map[string]string, err error) {
	origins = map[string]string{}
	var layers []map[string]check.Setting
	if scenario != nil {
		layers = append(layers, scenario.Settings)
	}
	if c != nil {
		layers = append(layers, c.Settings[cmd.Name()])
	}
	for _, layer := range layers {
		for name, s := range layer {
			if f := cmd.Flags().Lookup(name); f == nil || slices.Contains(notSettings, name) {
				return nil, usagef("%s: %q is no flag of heapsnap %s%s", s.Where, name, cmd.Name(), nearest(cmd, name))
			}
		}
	}
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if err != nil || slices.Contains(notSettings, f.Name) {
			return
		}
		if f.Changed {
			origins[f.Name] = "--" + f.Name
			return
		}
		origins[f.Name] = "default"
		name := variable(cmd.Name(), f.Name)
		if value, ok := os.LookupEnv(name); ok {
			values := []string{value}
			if _, list := f.Value.(pflag.SliceValue); list {
				values = strings.Split(value, "\n")
			}
			origins[f.Name], err = name, set(cmd, f, values, name)
			return
		}
		for _, layer := range layers {
			if s, ok := layer[f.Name]; ok {
				origins[f.Name], err = s.Where, set(cmd, f, s.Values, s.Where)
				return
			}
		}
	})
	return origins, err
}

func set(cmd *cobra.Command, f *pflag.Flag, values []string, where string) error {
	if _, list := f.Value.(pflag.SliceValue); !list && len(values) != 1 {
		return usagef("%s: %s has one value, and here are %d", where, f.Name, len(values))
	}
	for _, v := range values {
		if err := cmd.Flags().Set(f.Name, v); err != nil {
			// pflag's text begins with the flag; what it was given and why is the end.
			return usagef("%s: %s: %q: want %s", where, f.Name, v, cmp.Or(map[string]string{
				"int": "a number", "duration": "a duration, such as 30s", "bool": "true or false"}[f.Value.Type()], f.Value.Type()))
		}
	}
	return nil
}

func nearest(cmd *cobra.Command, name string) string {
	best, at := "", 3 // letters
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if d := distance(f.Name, name); d < at {
			best, at = f.Name, d
		}
	})
	if best == "" {
		return ""
	}
	return ": did you mean " + best + "?"
}

// distance is Levenshtein's.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			next := diagonal
			if a[i] != b[j] {
				next++
			}
			diagonal = row[j+1]
			row[j+1] = min(next, row[j+1]+1, row[j]+1)
		}
	}
	return row[len(b)]
}

// policy is what the configuration and a baseline accept; the flag counts more
// than the file's key, whose path is from the file's folder.
func policy(c *check.Config, baseline string) (p check.Policy, err error) {
	if c != nil {
		p = c.Policy
		if baseline == "" && len(c.Baseline.Values) == 1 {
			if baseline = c.Baseline.Values[0]; !filepath.IsAbs(baseline) {
				baseline = filepath.Join(filepath.Dir(c.Path), baseline)
			}
		}
	}
	if baseline != "" {
		if p.Accepted, err = check.ReadBaseline(baseline); err != nil {
			if errors.Is(err, fs.ErrNotExist) {
				return p, usagef("baseline %s: there is no such file: heapsnap baseline write makes one", baseline)
			}
			return p, usageError{err}
		}
	}
	now := time.Now()
	p.Today = time.Date(now.Year(), now.Month(), now.Day(), 0, 0, 0, 0, time.UTC)
	return p, nil
}

func newConfig(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "config",
		Short: "What is configured, and where",
		Long: `Every flag of check and loop may also stand in ` + check.ConfigName + `, under
check: or loop: by its name, and in a variable, such as HEAPSNAP_CHECK_ROUNDS. The
command line counts most, then the variable, then the file; the file is the
nearest from here upwards.`,
		Args: arguments(0, 0, ""),
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	origin, scenario := false, ""
	show := &cobra.Command{
		Use:       "show [check | loop]",
		Short:     "Print the settings of check, or of loop, as they are in effect",
		Args:      arguments(0, 1, ""),
		ValidArgs: []string{"check", "loop"},
		RunE: func(cmd *cobra.Command, args []string) error {
			of := newCheck(a)
			switch {
			case len(args) == 1 && args[0] == "loop":
				of = newLoop(a)
			case len(args) == 1 && args[0] != "check":
				return usagef("config show: %q: it is check or loop", args[0])
			}
			if name, _ := cmd.Flags().GetString(configFlag); name != "" {
				if err := of.Flags().Set(configFlag, name); err != nil {
					return err
				}
			}
			c, err := readConfig(of)
			if err != nil {
				return err
			}
			var chosen *check.Scenario
			if scenario != "" {
				if chosen, err = findScenario(c, scenario); err != nil {
					return err
				}
			}
			origins, err := configure(of, c, chosen)
			if err != nil {
				return err
			}
			w := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
			of.Flags().VisitAll(func(f *pflag.Flag) {
				if from, ok := origins[f.Name]; ok && origin {
					fmt.Fprintf(w, "%s\t%s\t%s\n", f.Name, report.Printable(f.Value.String()), report.Printable(from))
				} else if ok {
					fmt.Fprintf(w, "%s\t%s\n", f.Name, report.Printable(f.Value.String()))
				}
			})
			return w.Flush()
		},
	}
	show.Flags().BoolVar(&origin, "origin", false, "also where each is from: a variable, FILE:LINE, or the default")
	show.Flags().StringVar(&scenario, "scenario", "", "of this scenario")
	addConfigFlag(show)
	cmd.AddCommand(show)
	return cmd
}

func findScenario(c *check.Config, name string) (*check.Scenario, error) {
	var names []string
	if c != nil {
		for i := range c.Scenarios {
			if c.Scenarios[i].Name == name {
				return &c.Scenarios[i], nil
			}
			names = append(names, c.Scenarios[i].Name)
		}
	}
	if len(names) == 0 {
		return nil, usagef("--scenario %s: no scenario is configured in a %s", name, check.ConfigName)
	}
	return nil, usagef("--scenario %s: there is none of this name: %s has %s", name, c.Path, strings.Join(names, ", "))
}
