//go:build browser

package main

import (
	"bytes"
	"context"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// looked is what check.js returns.
type looked struct {
	Wrong                                []string
	Operations, Columns, Cells, Problems int
	Names, Zones                         []string
	Background, Injected                 string
	Contrast                             float64
}

func (b *tab) look(name string) looked {
	b.t.Helper()
	var l looked
	b.run(chromedp.Evaluate(script(b.t, "check.js"), &l))
	for _, wrong := range l.Wrong {
		b.t.Errorf("%s: %s", name, wrong)
	}
	if l.Injected != "undefined" {
		b.t.Errorf("%s: a script ran", name)
	}
	return l
}

var (
	widths  = []int64{800, 1280, 1920}
	schemes = map[string]string{"light": "rgb(255, 255, 255)", "dark": "rgb(13, 17, 23)"}
)

// lookEverywhere looks at a picture at every width, light and dark.
func (b *tab) lookEverywhere(name, file string) (last looked, lowest float64) {
	b.t.Helper()
	lowest = 21
	b.open(file)
	for _, width := range widths {
		for scheme, background := range schemes {
			b.show(width, scheme)
			last = b.look(fmt.Sprintf("%s, %d pixels, %s", name, width, scheme))
			if last.Background != background {
				b.t.Errorf("%s: the background is %s, want %s", scheme, last.Background, background)
			}
			lowest = min(lowest, last.Contrast)
		}
	}
	b.quiet(name)
	return last, lowest
}

// Every operation and group of nodes is visible, at each width, light and dark, for small and
// large flows and clusters.
func TestPicture(t *testing.T) {
	b, dir := newTab(t), t.TempDir()
	for _, operations := range []int{2, 30, 300} {
		flow := writeFlow(t, dir, operations)
		for _, nodes := range []int{8, 500, 5000} {
			name := fmt.Sprintf("%d operations on %d nodes", operations, nodes)
			file, size := draw(t, flow, "--nodes", writeNodes(t, dir, nodes), "--host", "slipstream")
			l, contrast := b.lookEverywhere(name, file)
			if l.Operations != operations || l.Cells != l.Operations*l.Columns || l.Cells == 0 {
				t.Errorf("%s: it shows %d operations and %d cells", name, l.Operations, l.Cells)
			}
			if sum := sumOf(l.Zones); sum != nodes {
				t.Errorf("%s: the zones have %d nodes: %q", name, sum, l.Zones)
			}
			if size > 2<<20 {
				t.Errorf("%s: %d bytes", name, size)
			}
			fmt.Printf("picture: %s: %d columns, %d cells, %d problems, contrast %.1f or more, %d KiB, %d widths × light and dark\n", name, l.Columns, l.Cells, l.Problems, contrast, size>>10, len(widths))
		}
	}
	for _, in := range inputs {
		file, size := draw(t, in.args...)
		l, contrast := b.lookEverywhere(in.name, file)
		fmt.Printf("picture: %s: %d operations, %d columns, %d problems, contrast %.1f or more, %d KiB\n", in.name, l.Operations, l.Columns, l.Problems, contrast, size>>10)
	}
}

var lastNumber = regexp.MustCompile(`(\d+) nodes?(?:\D|$)`)

// sumOf adds up the numbers of nodes of zones.
func sumOf(zones []string) int {
	sum := 0
	for _, zone := range zones {
		n, _ := strconv.Atoi(lastNumber.FindStringSubmatch(zone)[1])
		sum += n
	}
	return sum
}

// Names of operations, nodes, zones, labels and taints, and the name of the file, cannot add
// anything to the page, and stay inside their boxes.
func TestPictureOfHostileNames(t *testing.T) {
	b := newTab(t)
	dir := t.TempDir()
	var flow, nodes strings.Builder
	for i, name := range hostileNames {
		fmt.Fprintf(&flow, "---\napiVersion: data.fluid.io/v1alpha1\nkind: DataProcess\nmetadata: {name: %q, namespace: %q}\nspec:\n  dataset: {name: d, namespace: n}\n", name, name)
		fmt.Fprintf(&flow, "  processor: {job: {podSpec: {nodeSelector: {example.com/a: %q}, containers: [{name: c, image: i}]}}}\n", name)
		if i > 0 {
			before := hostileNames[i/2]
			fmt.Fprintf(&flow, "  runAfter: {kind: DataProcess, name: %q, namespace: %q, affinityStrategy: {policy: Require, requires: [{name: %q}]}}\n", before, before, name)
		}
		fmt.Fprintf(&nodes, "---\napiVersion: v1\nkind: Node\nmetadata: {name: %q, labels: {topology.kubernetes.io/zone: %q, example.com/a: %q}}\nspec: {taints: [{key: %q, effect: NoSchedule}]}\n", name, name, name, name)
	}
	flowFile := writeSample(t, dir, "<script>hostileRan=1<script>.yaml", flow.String())
	nodesFile := writeSample(t, dir, "nodes.yaml", nodes.String())
	file, _ := draw(t, flowFile, "--nodes", nodesFile, "--host", "slipstream")
	l, _ := b.lookEverywhere("hostile names", file)
	if l.Operations != len(hostileNames) {
		t.Errorf("%d operations, want %d", l.Operations, len(hostileNames))
	}
	shown := map[string]bool{}
	for _, name := range l.Names {
		shown[name] = true
	}
	for _, name := range hostileNames {
		if !shown[printable(name+"/"+name)] {
			t.Errorf("%q is not shown", name)
		}
	}

	// With operations that an API server accepts there is a forecast, and the nodes are shown.
	flow.Reset()
	for i, name := range acceptedNames {
		fmt.Fprintf(&flow, "---\napiVersion: data.fluid.io/v1alpha1\nkind: DataLoad\nmetadata: {name: %q, namespace: default}\nspec:\n  dataset: {name: d, namespace: default}\n", name)
		if i > 0 {
			fmt.Fprintf(&flow, "  runAfter: {kind: DataLoad, name: %q, affinityStrategy: {policy: Prefer, prefers: [{name: example.com/a, weight: 1}]}}\n", acceptedNames[i/2])
		}
	}
	file, _ = draw(t, writeSample(t, dir, "accepted.yaml", flow.String()), "--nodes", nodesFile, "--host", "slipstream")
	l, _ = b.lookEverywhere("hostile nodes", file)
	if l.Operations != len(acceptedNames) || l.Columns < 40 {
		t.Errorf("%d operations, want %d; %d columns", l.Operations, len(acceptedNames), l.Columns)
	}
	fmt.Printf("picture: %d hostile names: nothing injected\n", len(hostileNames))
}

// A screen reader finds a name for every cell, also for those without text.
func TestPictureIsReadAloud(t *testing.T) {
	b := newTab(t)
	file, _ := draw(t, fixtures+"stranding.yaml", "--nodes", fixtures+"nodes.yaml")
	b.open(file)
	type text struct {
		Value any `json:"value"`
	}
	var tree struct {
		Nodes []struct {
			Ignored bool `json:"ignored"`
			Role    text `json:"role"`
			Name    text `json:"name"`
		} `json:"nodes"`
	}
	b.run(chromedp.ActionFunc(func(ctx context.Context) error { // cdproto's own type refuses what it does not know
		return cdp.Execute(ctx, "Accessibility.getFullAXTree", nil, &tree)
	}))
	roles := map[any]int{}
	for _, node := range tree.Nodes {
		if node.Ignored {
			continue
		}
		roles[node.Role.Value]++
		switch node.Role.Value {
		case "cell", "gridcell", "rowheader", "columnheader", "heading", "link":
			if node.Name.Value == "" {
				t.Errorf("a %s has no name", node.Role.Value)
			}
		}
	}
	if roles["cell"]+roles["gridcell"] == 0 || roles["rowheader"] != 2 || roles["heading"] == 0 || roles["columnheader"] == 0 {
		t.Errorf("roles: %v", roles)
	}
	fmt.Printf("picture: names for a screen reader: %v\n", roles)
}

// It prints on a few pages.
func TestPicturePrints(t *testing.T) {
	b := newTab(t)
	file, _ := draw(t, fixtures+"stranding.yaml", "--nodes", fixtures+"nodes.yaml")
	b.open(file)
	b.run(chromedp.ActionFunc(func(ctx context.Context) error {
		text, _, err := page.PrintToPDF().WithPreferCSSPageSize(true).WithPrintBackground(true).Do(ctx)
		if pages := bytes.Count(text, []byte("/Type /Page\n")); err == nil && (pages < 1 || pages > 2) {
			t.Errorf("%d pages", pages)
		}
		return err
	}))
}
