//go:build browser

package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"unicode"

	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"github.com/fluid-cloudnative/slipstream/affinity"
	"github.com/fluid-cloudnative/slipstream/dataflow"
)

var mermaidDir = flag.String("mermaid", "", "a `folder` with a folder for each version of mermaid, as npm pack makes them")

// drawn is a picture as Mermaid has drawn it.
type drawn struct {
	Error  string
	Nodes  [][]string // the lines of each node
	Labels []string   // of arrows
	Titles []string   // of subgraphs
	Arrows int
	Unruly string // an element that does not belong into a picture
}

// mermaids are tabs with a version of Mermaid each.
func mermaids(t *testing.T) map[string]*tab {
	t.Helper()
	bundles, err := filepath.Glob(filepath.Join(*mermaidDir, "*", "package", "dist", "mermaid.min.js"))
	if err != nil || len(bundles) < 2 {
		t.Fatalf("-mermaid %q has %d versions, want at least 2; .ci/run browser makes the folder", *mermaidDir, len(bundles))
	}
	tabs := map[string]*tab{}
	for _, bundle := range bundles {
		bundle, err := filepath.Abs(bundle)
		if err != nil {
			t.Fatal(err)
		}
		version := filepath.Base(strings.TrimSuffix(bundle, filepath.Join("package", "dist", "mermaid.min.js")))
		b := newTab(t)
		page := "<!DOCTYPE html>\n<meta charset=utf-8>\n<body>\n<script src=\"file://" + bundle + "\"></script>\n<script>" + script(t, "mermaid.js") + "</script>\n"
		b.run(chromedp.Navigate("file://" + writeSample(t, t.TempDir(), "mermaid.html", page)))
		tabs[version] = b
	}
	return tabs
}

// mermaid parses and draws pictures.
func (b *tab) mermaid(pictures ...string) []drawn {
	b.t.Helper()
	b.lock.Lock()
	b.requests, b.errors = nil, nil
	b.lock.Unlock()
	in, err := json.Marshal(pictures)
	if err != nil {
		b.t.Fatal(err)
	}
	var out []drawn
	if err := chromedp.Run(b, chromedp.Evaluate("draw("+string(in)+")", &out, func(p *runtime.EvaluateParams) *runtime.EvaluateParams { return p.WithAwaitPromise(true) })); err != nil {
		b.t.Error(err) // not Fatal: it may not be the goroutine of the test
	}
	b.lock.Lock()
	defer b.lock.Unlock()
	if len(b.requests) > 0 {
		b.t.Errorf("a picture asks for %q", b.requests)
	}
	return out
}

// visible is how Mermaid's picture writes a name.
func visible(name string) string {
	return strings.NewReplacer("ﬂ", `\ufb02`, "¶", `\u00b6`).Replace(escaping(name))
}

// escaping writes characters without a shape as escape sequences.
func escaping(name string) string {
	var b strings.Builder
	for _, r := range name {
		if quoted := fmt.Sprintf("%+q", r); unicode.IsPrint(r) {
			b.WriteRune(r)
		} else {
			b.WriteString(strings.Trim(quoted, "'"))
		}
	}
	return b.String()
}

// hostileFlow makes a flow of 1 to 4 operations, whose references, policies and keys come from
// the hostile names, or whose names an API server accepts. The suffix of its namespaces tells
// it from other flows.
func hostileFlow(random *rand.Rand, suffix string) []dataflow.Operation {
	names := hostileNames
	accepted := random.IntN(2) == 0
	if accepted {
		names = acceptedNames
	}
	pick := func() string { return names[random.IntN(len(names))] }
	namespace := pick() + suffix
	var flow []dataflow.Operation
	for i := range 1 + random.IntN(4) {
		op := dataflow.Operation{Ref: dataflow.Ref{Kind: dataflow.Kinds()[random.IntN(4)], Namespace: namespace, Name: pick()}}
		if !accepted && random.IntN(4) == 0 {
			op.Ref.Kind = dataflow.Kind(pick())
		}
		if i > 0 {
			op.RunAfter = &dataflow.RunAfter{Ref: flow[random.IntN(i)].Ref}
			switch random.IntN(4) {
			case 0:
				op.RunAfter.Strategy = affinity.Strategy{Policy: affinity.Require, Requires: []affinity.RequiredLabel{{Key: pick()}, {Key: pick()}}}
			case 1:
				op.RunAfter.Strategy = affinity.Strategy{Policy: affinity.Prefer, Prefers: []affinity.PreferredLabel{{Key: pick(), Weight: 1}}}
			case 2:
				op.RunAfter.Strategy = affinity.Strategy{Policy: affinity.Policy(pick())}
			}
			if random.IntN(3) == 0 {
				op.RunAfter.DependOn = &flow[random.IntN(i)].Ref
			}
		}
		flow = append(flow, op)
	}
	if len(flow) == 1 && random.IntN(4) == 0 {
		flow[0].RunAfter = &dataflow.RunAfter{Ref: dataflow.Ref{Kind: dataflow.DataLoad, Namespace: namespace, Name: pick()}} // a stranger, or itself
	}
	return flow
}

// Mermaid draws 1,000 flows with hostile names, five in a picture, and each name is in the
// drawing.
func TestMermaidOfHostileNames(t *testing.T) {
	const flows, each = 1000, 5
	random := rand.New(rand.NewPCG(20, 20))
	var pictures []string
	var operations [][]dataflow.Operation
	names := 0
	for range flows / each {
		var picture []dataflow.Operation
		seen := map[dataflow.Ref]dataflow.Observation{}
		for i := range each {
			flow := hostileFlow(random, []string{"", "1", "-2", " 3", "é"}[i])
			seen[flow[0].Ref] = dataflow.Observation{
				Phase: []dataflow.Phase{dataflow.Complete, dataflow.Executing, dataflow.Failed}[random.IntN(3)],
				Node:  hostileNames[random.IntN(len(hostileNames))],
			}
			picture = append(picture, flow...)
		}
		if parts := len(dataflow.Split(picture...)); parts != each {
			t.Fatalf("%d flows, want %d", parts, each)
		}
		names += len(picture)
		operations, pictures = append(operations, picture), append(pictures, dataflow.Mermaid(picture, dataflow.Check(picture...), seen))
	}
	var running sync.WaitGroup
	for version, b := range mermaids(t) {
		running.Add(1)
		go func() {
			defer running.Done()
			drawn, failures := 0, 0
			for at := 0; at < len(pictures); at += 20 {
				for i, d := range b.mermaid(pictures[at : at+20]...) {
					drawn++
					if wrong := d.wrong(operations[at+i]); wrong != "" {
						failures++
						if failures <= 5 {
							t.Errorf("mermaid %s: %s\n%s%+v", version, wrong, pictures[at+i], d)
						}
					}
				}
			}
			if drawn != len(pictures) {
				t.Errorf("mermaid %s: it drew %d pictures, want %d", version, drawn, len(pictures))
			}
			fmt.Printf("mermaid %s: %d flows with %d names in %d pictures, %d failures\n", version, flows, names, drawn, failures)
		}()
	}
	running.Wait()
}

// wrong says what is missing in the drawing of a flow.
func (d *drawn) wrong(flow []dataflow.Operation) string {
	switch {
	case d.Error != "":
		return d.Error
	case d.Unruly != "":
		return "it has " + d.Unruly
	case len(d.Titles) != len(dataflow.Split(flow...)) || !slices.Contains(d.Titles, "flow 1"):
		return fmt.Sprintf("the subgraphs are %q", d.Titles)
	}
	for i := range flow {
		op := &flow[i]
		name := visible(op.Ref.Namespace + "/" + op.Ref.Name)
		if !slices.ContainsFunc(d.Nodes, func(lines []string) bool {
			return len(lines) > 1 && lines[0] == name && lines[1] == visible(string(op.Ref.Kind))
		}) {
			return fmt.Sprintf("%q is not drawn", name)
		}
		source, ok := op.Source()
		if predecessor, _ := op.Predecessor(); !ok || source == (dataflow.Ref{}) || predecessor == (dataflow.Ref{}) {
			continue
		}
		label := visible(string(op.RunAfter.Strategy.Policy))
		for _, key := range op.RunAfter.Strategy.Keys() {
			label += "\n" + visible(key)
		}
		if !slices.Contains(d.Labels, label) {
			return fmt.Sprintf("the label %q is not drawn", label)
		}
	}
	return ""
}

// Mermaid draws what plan prints for the fixtures.
func TestMermaidOfInputs(t *testing.T) {
	var pictures []string
	for _, in := range inputs {
		_, stdout, _ := plan("", append(slices.Clone(in.args), "-o", "mermaid")...)
		pictures = append(pictures, stdout)
	}
	for version, b := range mermaids(t) {
		for i, d := range b.mermaid(pictures...) {
			if d.Error != "" || d.Unruly != "" || len(d.Nodes) == 0 {
				t.Errorf("mermaid %s: %s: %s %s", version, inputs[i].name, d.Error, d.Unruly)
			}
		}
		fmt.Printf("mermaid %s: %d inputs drawn\n", version, len(pictures))
	}
}

// What plan calls the limits of Mermaid are its limits: it draws a picture that reaches them,
// and none beyond.
func TestMermaidLimits(t *testing.T) {
	chain := func(arrows int) string { return "flowchart LR\n  a\n  b\n" + strings.Repeat("  a --> b\n", arrows) }
	long := func(characters int) string {
		head, tail := "flowchart LR\n  a[\"", "\"]\n"
		return head + strings.Repeat("x", characters-len(head)-len(tail)) + tail
	}
	pictures := []string{chain(mermaidArrows), long(mermaidCharacters), chain(mermaidArrows + 1), long(mermaidCharacters + 1)}
	for version, b := range mermaids(t) {
		for i, d := range b.mermaid(pictures...) {
			if refused := d.Error != "" || len(d.Nodes) == 0; refused != (i >= 2) {
				t.Errorf("mermaid %s: picture %d: refused %v: %s, %d nodes", version, i, refused, d.Error, len(d.Nodes))
			}
		}
	}
}
