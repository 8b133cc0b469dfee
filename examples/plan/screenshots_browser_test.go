//go:build browser

package main

import (
	"bytes"
	"cmp"
	"flag"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

var screenshots = flag.Bool("screenshots", false, "write the screenshots of the README to docs")

// The screenshots of the README.
func TestScreenshots(t *testing.T) {
	const most = 300 << 10
	b, dir := newTab(t), t.TempDir()
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	at := func(name string) string { return filepath.Join(here, "testdata", name) }
	for _, c := range []struct {
		name  string
		width int64
		dir   string // where plan runs: the picture shows the name of the file as it is given
		args  []string
	}{
		{"stranding", 1200, at("fixtures"), []string{"stranding.yaml", "--nodes", "nodes.yaml", "--host", "slipstream"}},
		{"guide", 1200, at("fixtures"), []string{"demo3-depend-on.yaml", "--nodes", "nodes.yaml"}},
		{"live", 1200, at("browser"), []string{"live.yaml", "--nodes", at("fixtures/nodes.yaml")}},
		{"large", 1400, dir, []string{filepath.Base(writeFlow(t, dir, 30)), "--nodes", filepath.Base(writeNodes(t, dir, 500)), "--host", "slipstream"}},
	} {
		if err := os.Chdir(c.dir); err != nil {
			t.Fatal(err)
		}
		file, _ := draw(t, c.args...)
		if err := os.Chdir(here); err != nil {
			t.Fatal(err)
		}
		for scheme := range schemes {
			b.open(file)
			b.show(c.width, scheme)
			shot := compressed(t, b.shoot(c.width))
			if len(shot) > most {
				t.Errorf("%s, %s: %d bytes, want at most %d", c.name, scheme, len(shot), most)
			}
			if *screenshots {
				writeSample(t, "docs", c.name+"-"+scheme+".png", string(shot))
			} else if info, err := os.Stat(filepath.Join("docs", c.name+"-"+scheme+".png")); err != nil || info.Size() > most {
				t.Errorf("%s, %s: go test -tags browser -run Screenshots . -screenshots makes it: %v", c.name, scheme, err)
			}
		}
		b.quiet(c.name)
	}
	fmt.Println("screenshots: 4 cases, light and dark")
}

// shoot returns an image of the whole page, or of a long one up to its problems.
func (b *tab) shoot(width int64) []byte {
	b.t.Helper()
	var height int64
	b.run(emulation.SetDeviceMetricsOverride(width, 100, 1, false), chromedp.Evaluate(`(() => {
		const problems = document.querySelector(".problems")?.getBoundingClientRect().top ?? 0;
		return Math.ceil(problems > 1200 ? problems : document.documentElement.scrollHeight);
	})()`, &height))
	b.run(emulation.SetDeviceMetricsOverride(width, height, 1, false))
	var last, shot []byte
	for range 20 { // until all of it is painted
		b.run(chromedp.CaptureScreenshot(&shot))
		if bytes.Equal(shot, last) {
			return shot
		}
		last = shot
	}
	b.t.Error("the page is painted differently each time")
	return shot
}

// compressed makes an image smaller: it keeps the 256 most frequent colours, and replaces each
// other one, which is at the edge of a letter, by the nearest of them.
func compressed(t *testing.T, text []byte) []byte {
	t.Helper()
	from, err := png.Decode(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	bounds, count := from.Bounds(), map[color.Color]int{}
	for y := range bounds.Dy() {
		for x := range bounds.Dx() {
			count[from.At(x, y)]++
		}
	}
	colours := slices.SortedFunc(maps.Keys(count), func(a, b color.Color) int { return cmp.Compare(count[b], count[a]) })
	to := image.NewPaletted(bounds, colours[:min(len(colours), 256)])
	index := map[color.Color]uint8{}
	for _, c := range colours {
		index[c] = uint8(to.Palette.Index(c))
	}
	for y := range bounds.Dy() {
		for x := range bounds.Dx() {
			to.SetColorIndex(x, y, index[from.At(x, y)])
		}
	}
	var out bytes.Buffer
	encoder := png.Encoder{CompressionLevel: png.BestCompression}
	if err := encoder.Encode(&out, to); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}
