package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Every command has a page with each of its flags, and a formatter has nothing to
// say against it.
func TestManPages(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "man")
	if r := heapsnapIn(t, ".", nil, "man", dir); r.code != exitClean || r.out != "" {
		t.Fatalf("heapsnap man: code %d, %q, %q", r.code, r.out, r.errors)
	}
	groff, _ := exec.LookPath("groff")
	pages := 0
	root := newRoot(&app{})
	root.InitDefaultCompletionCmd() // which cobra adds when it runs
	err := eachPage(root, func(cmd *cobra.Command) error {
		pages++
		name := filepath.Join(dir, pageName(cmd)+".1")
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			if entry := `\fB` + roff("--"+f.Name) + `\fR`; !f.Hidden && !strings.Contains(string(text), entry) {
				t.Errorf("%s: no option %q", name, entry)
			}
		})
		if groff == "" {
			return nil
		}
		out, err := exec.Command(groff, "-man", "-Tutf8", "-Kutf8", "-ww", "-P-cbou", name).CombinedOutput()
		if err != nil || bytes.Contains(out, []byte(name)) { // a warning begins with the file
			t.Errorf("groff %s: %v\n%s", name, err, out)
		}
		for _, c := range exitCodes {
			if words := strings.Fields(c.means); !strings.Contains(strings.Join(strings.Fields(string(out)), " "), strings.Join(words, " ")) {
				t.Errorf("%s as it is shown has no exit code %d:\n%s", name, c.code, out)
			}
		}
		return nil
	})
	written, globErr := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || globErr != nil || len(written) != pages || pages < 20 {
		t.Errorf("%d pages of %d commands, %v, %v", len(written), pages, err, globErr)
	}
}

func TestManPageObeysNothing(t *testing.T) {
	var b bytes.Buffer
	writePage(&b, &cobra.Command{Use: "x", Short: `a \n and 'b'`, Long: ".so /etc/passwd\n'br\n\n  indented \\fB\n  .sp\nplain", Run: func(*cobra.Command, []string) {}})
	_, text, _ := strings.Cut(b.String(), ".SH DESCRIPTION\n")
	text, _, _ = strings.Cut(text, ".SH")
	want := "\\&.so /etc/passwd\n\\(aqbr\n.PP\n.nf\n  indented \\efB\n  .sp\n.fi\nplain\n"
	if text != want {
		t.Errorf("got\n%q, want\n%q", text, want)
	}
}
