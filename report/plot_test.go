package report

import (
	"bytes"
	"encoding/xml"
	"errors"
	"image/png"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func plotted(t *testing.T, r *Report, f Format, size Size) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := Plot(&b, r, f, size); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestPlotIsAPictureOfEveryReport(t *testing.T) {
	reports := map[string]*Report{
		"leak": leaking(), "clean": clean(), "inconclusive": inconclusive(), "suspects": suspects(), "many": many(),
		"empty": {}, "hostile": hostile(strings.Join(hostileStrings, " ")),
	}
	flat := clean()
	flat.Quiet = nil
	reports["no growth at all"] = flat
	dir := os.Getenv("HEAPSNAP_PLOTS") // set it to look at them
	for name, r := range reports {
		t.Run(name, func(t *testing.T) {
			svg := plotted(t, r, SVG, Size{})
			if again := plotted(t, r, SVG, Size{}); !bytes.Equal(svg, again) {
				t.Error("the same report gave two different pictures")
			}
			d := xml.NewDecoder(bytes.NewReader(svg))
			for {
				if _, err := d.Token(); errors.Is(err, io.EOF) {
					break
				} else if err != nil {
					t.Fatalf("svg: %v", err)
				}
			}
			raw := plotted(t, r, PNG, Size{Width: 1000, Height: 700})
			img, err := png.Decode(bytes.NewReader(raw))
			if err != nil {
				t.Fatal(err)
			}
			if b := img.Bounds(); b.Dx() != 1000 || b.Dy() != 700 {
				t.Errorf("png is %v, want 1000x700", b)
			}
			if dir != "" {
				for ext, b := range map[string][]byte{".svg": svg, ".png": plotted(t, r, PNG, Size{})} {
					if err := os.WriteFile(filepath.Join(dir, name+ext), b, 0o644); err != nil {
						t.Fatal(err)
					}
				}
			}
		})
	}
}

func TestPlotSaysWhatItShows(t *testing.T) {
	svg := string(plotted(t, leaking(), SVG, Size{}))
	for _, want := range []string{"listener: emitter", "+300 each round", "after warm-up", ">round<", "objects kept alive", "MiB", "RSS 58.0", "heap used"} {
		if !strings.Contains(svg, want) {
			t.Errorf("the plot does not say %q", want)
		}
	}
}

func TestPlotOfUnknownFormat(t *testing.T) {
	if err := Plot(io.Discard, leaking(), Text, Size{}); !errors.Is(err, ErrNoForm) {
		t.Errorf("Plot as text: %v, want ErrNoForm", err)
	}
	if err := WriteSummary(io.Discard, summary(), SVG, Options{}); !errors.Is(err, ErrNoForm) {
		t.Errorf("summary as svg: %v, want ErrNoForm", err)
	}
	if err := Write(io.Discard, leaking(), "xml", Options{}); err == nil || !strings.Contains(err.Error(), `"xml"`) {
		t.Errorf("Write as xml: %v", err)
	}
}

func TestValueTicks(t *testing.T) {
	for _, c := range []struct {
		lo, hi float64
		whole  bool
		want   string
	}{
		{0, 900, true, "0 200 400 600 800 1,000"},
		{0, 3, true, "0 1 2 3"},
		{0, 0, true, "0 1"},
		{5.0, 5.52, false, "5.0 5.2 5.4 5.6"},
		{0, 12, false, "0.0 2.5 5.0 7.5 10.0 12.5"},
		{0, 1e7, true, "0 2,000,000 4,000,000 6,000,000 8,000,000 10,000,000"},
	} {
		var labels []string
		for _, tick := range valueTicks(c.lo, c.hi, c.whole) {
			labels = append(labels, tick.Label)
		}
		if got := strings.Join(labels, " "); got != c.want {
			t.Errorf("valueTicks(%v, %v) = %s, want %s", c.lo, c.hi, got, c.want)
		}
	}
}
