package main

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// The table fits a terminal of 80 columns, but for the names of files.
func TestTableFits(t *testing.T) {
	heading := regexp.MustCompile(`^(Error|Warning) \w+  `)
	for _, in := range allInputs(t) {
		_, stdout, _ := plan("", slices.Clone(in)...)
		for _, line := range strings.Split(stdout, "\n") {
			if cells.StringWidth(line) > columns && !heading.MatchString(line) && longestWord(line) < columns-10 {
				t.Errorf("%v: %d cells: %s", in, cells.StringWidth(line), line)
			}
		}
	}
}

func longestWord(line string) (most int) {
	for _, word := range strings.Fields(line) {
		most = max(most, cells.StringWidth(word))
	}
	return most
}

// Lines have a width, and no character is lost.
func TestWrappedKeepsTheText(t *testing.T) {
	text := rapid.StringOf(rapid.SampledFrom([]rune("aab  -./_…é漢字\U0001F600")))
	rapid.Check(t, func(t *rapid.T) {
		text, width, within := text.Draw(t, "text"), rapid.IntRange(2, 20).Draw(t, "width"), rapid.Bool().Draw(t, "within")
		lines := wrapped(text, width, within)
		without := func(text string) string { return strings.ReplaceAll(text, " ", "") }
		if without(strings.Join(lines, "")) != without(text) {
			t.Errorf("%q", lines)
		}
		for _, line := range lines {
			if cells.StringWidth(line) > width && (within || strings.Contains(strings.TrimSpace(line), " ")) {
				t.Errorf("%q is wider than %d", line, width)
			}
		}
	})
}

// load is a DataLoad in a manifest, with more of its spec.
func load(namespace, name, spec string) string {
	return fmt.Sprintf("apiVersion: data.fluid.io/v1alpha1\nkind: DataLoad\nmetadata: {name: %s, namespace: %s}\nspec: {%s}\n---\n", name, namespace, spec)
}

// onNodeOf makes an operation run on the node of another one.
func onNodeOf(name string) string {
	return "runAfter: {kind: DataLoad, name: " + name + ", affinityStrategy: {policy: Require}}"
}

// Of many flows, those with problems are shown, and how many are not.
func TestTableOfManyFlows(t *testing.T) {
	var manifests strings.Builder
	for i := range 25 {
		name := fmt.Sprintf("flow-%d", i)
		after := onNodeOf(name)
		if i%10 == 3 {
			after += ", nodeSelector: {node.kubernetes.io/instance-type: GPU}"
		}
		manifests.WriteString(load("default", name, "") + load("default", name+"-then", after))
	}
	status, stdout, _ := plan(manifests.String(), "-", "--nodes", fixtures+"nodes.yaml")
	for _, want := range []string{
		"22 flows without problems not shown\n", "50 operations in 25 flows: 0 errors, 3 warnings", "\nOn 8 nodes, 3 of 25 flows can be stranded\n",
		"\n! 4     flow-3        DataLoad  ", "NODES OF FLOW 24 ",
	} {
		if status != sound || !strings.Contains(stdout, want) {
			t.Errorf("status %d; %q is not in\n%s", status, want, stdout)
		}
	}
	if strings.Contains(stdout, "flow-5") || strings.Contains(stdout, "NODES OF FLOW 6") {
		t.Error(stdout)
	}
}

// The sentence about the nodes is always there.
func TestTableEndsWithTheNodes(t *testing.T) {
	nodes := []string{"--nodes", fixtures + "nodes.yaml"}
	for _, c := range []struct{ manifests, want string }{
		{load("default", "a", ""), "On 8 nodes, 0 of 1 flow can be stranded\n"},
		{load("default", "a", "nodeSelector: {a: b}"), "On 8 nodes, 0 of 1 flow can be stranded, 1 cannot complete\n"},
		{load("default", "a", "runAfter: {kind: DataLoad, name: nowhere}"), "On 8 nodes, 0 of 1 flow can be stranded, 1 cannot complete\n"},
		{load("default", "a", onNodeOf("b")) + load("default", "b", onNodeOf("a")), "On 8 nodes, 0 of 1 flow can be stranded, 1 not known because of an error\n"},
		{"apiVersion: v1\nkind: List\nitems: []\n", "On 8 nodes, 0 of 0 flows can be stranded\n"},
	} {
		if _, stdout, _ := plan(c.manifests, append([]string{"-"}, nodes...)...); !strings.HasSuffix(stdout, c.want) {
			t.Errorf("%q does not end with %q", stdout, c.want)
		}
		if _, stdout, _ := plan(c.manifests, append([]string{"-", "--quiet"}, nodes...)...); strings.Contains(stdout, "On 8 nodes") {
			t.Errorf("in spite of --quiet: %q", stdout)
		}
	}
}

// A flow with an error of any kind is nowhere said to be able to complete, also if the error is
// not reported.
func TestFlowWithAnErrorCannotComplete(t *testing.T) {
	missing, sound := load("default", "a", "runAfter: {kind: DataLoad, name: nowhere}"), load("default", "b", "")
	nodes := []string{"--nodes", fixtures + "nodes.yaml"}
	for _, c := range []struct {
		manifests, args string
		want            []string
	}{
		{missing, "", []string{"yes: could be placed; the flow has errors\n"}},
		{missing, "-o json", []string{`"completable": false`, `"count": `}},
		{missing, "-o json --ignore UnknownPredecessor", []string{`"completable": false`}},
		{missing, "-o html", []string{": 1 error</title>", "<dd>could be placed here; the flow has errors</dd>", "fits on"}},
		{missing, "-o html --ignore UnknownPredecessor", []string{": Has errors that are ignored</title>"}},
		{missing + sound, "-o html", []string{": 1 error in 1 of 2 flows</title>"}},
		{sound + load("default", "c", "nonsense: 1") + "a", "-o html", []string{": 1 error in 1 of 2 flows, 1 elsewhere</title>"}},
		{missing + sound + "---\napiVersion: data.fluid.io/v1alpha1\nkind: DataLoad\nmetadata: {name: b}\n", "-o html", []string{" in 2 of 2 flows</title>"}},
		{missing + sound, "-o json", []string{`"completable": false`}},
		{sound, "-o json", []string{`"completable": true`}},
	} {
		_, stdout, _ := plan(c.manifests, append(append([]string{"-"}, nodes...), strings.Fields(c.args)...)...)
		for _, want := range c.want {
			if !strings.Contains(stdout, want) {
				t.Errorf("%s: %q is not in\n%s", c.args, want, stdout)
			}
		}
		if c.manifests == missing && strings.Contains(stdout, "the whole flow can complete") {
			t.Errorf("%s: %s", c.args, stdout)
		}
	}
}

// A flow that can be stranded is said to be, also if the problem is not reported.
func TestIgnoredStranding(t *testing.T) {
	args := []string{fixtures + "stranding.yaml", fixtures + "demo1-location.yaml", "--nodes", fixtures + "nodes.yaml", "--ignore", "Stranding,InheritsNothing"}
	for _, c := range []struct{ format, want string }{
		{"table", "On 8 nodes, 1 of 2 flows can be stranded\n"},
		{"html", ": All can complete, but a wrong placement would strand 1 of 2 flows</title>"},
		{"html", `<span class="badge warning">can be stranded</span>`},
	} {
		if status, stdout, _ := plan("", append(args, "-o", c.format)...); status != sound || !strings.Contains(stdout, c.want) {
			t.Errorf("%s: status %d; %q is not in\n%s", c.format, status, c.want, stdout)
		}
	}
}

// A picture names how many inputs it is of, and the namespaces if there are several.
func TestPictureNamesItsInput(t *testing.T) {
	stranding := fixtures + "stranding.yaml"
	for _, c := range []struct {
		args, stdin string
		want        []string
	}{
		{stranding, "", []string{"<h1>testdata/fixtures/stranding.yaml</h1>", "<b>download</b>"}},
		{stranding + " -", load("default", "a", ""), []string{"<h1>testdata/fixtures/stranding.yaml and 1 more</h1>", "<b>download</b>", "<b>a</b>"}},
		{"- " + stranding + " " + fixtures, load("other", "a", ""), []string{"<h1>standard input and 2 more</h1>", "<b>default/download</b>", "<b>other/a</b>", "<td>default/download</td>"}},
	} {
		_, stdout, _ := plan(c.stdin, append(strings.Fields(c.args), "-o", "html")...)
		for _, want := range c.want {
			if !strings.Contains(stdout, want) {
				t.Errorf("%s: %q is not in\n%s", c.args, want, stdout)
			}
		}
	}
}

// A cell names an operation of another namespace with its namespace.
func TestCellsNameTheNamespace(t *testing.T) {
	const gpu = "nodeSelector: {node.kubernetes.io/instance-type: GPU}"
	train := func(namespace, spec string) string {
		return load("default", "train", "runAfter: {kind: DataLoad, name: fetch, namespace: "+namespace+", affinityStrategy: {policy: Require}}"+spec)
	}
	for _, c := range []struct{ manifests, want string }{
		{load("team-b", "fetch", gpu) + train("team-b", ""), ">← team-b/fetch<"},
		{load("default", "fetch", gpu) + train("default", ""), ">← fetch<"},
		{load("team-b", "fetch", "") + train("team-b", ", "+gpu), ">⚠\u00a0blocks default/train<"},
		{load("default", "fetch", "") + train("default", ", "+gpu), ">⚠\u00a0blocks train<"},
	} {
		_, stdout, _ := plan(c.manifests, "-", "--nodes", fixtures+"nodes.yaml", "-o", "html")
		if !strings.Contains(stdout, c.want) {
			t.Errorf("%q is not in\n%s", c.want, stdout)
		}
	}
}

// With more groups of nodes than there is room for, the table has their numbers, and the reasons.
func TestTableOfManyGroups(t *testing.T) {
	var nodes strings.Builder
	for i := range 60 {
		fmt.Fprintf(&nodes, "apiVersion: v1\nkind: Node\nmetadata: {name: n-%d, labels: {zone: z-%d, kubernetes.io/hostname: n-%d}}\nspec: {unschedulable: %v}\n---\n", i, i%30, i, i%3 == 0)
	}
	manifests := load("default", "a", "nodeSelector: {zone: z-1}") + load("default", "b", onNodeOf("a"))
	for i := range 30 {
		manifests += load("default", fmt.Sprintf("c-%d", i), fmt.Sprintf("runAfter: {kind: DataLoad, name: a}, nodeSelector: {zone: z-%d}", i/3*3+1))
	}
	file := t.TempDir() + "/nodes.yaml"
	writeFile(t, file, nodes.String())
	status, stdout, _ := plan(manifests, "-", "--nodes", file)
	for _, want := range []string{
		"NODES OF FLOW 1  YES  STRANDS  NO\n", "\na                2    0        38 selector, 20 cordon\n", "\nb                2    0        38 source, 20 cordon\n",
		"YES: how many nodes, in 12 groups: the whole flow can complete\n", "On 60 nodes, 0 of 1 flow can be stranded\n",
	} {
		if status != sound || !strings.Contains(stdout, want) {
			t.Errorf("status %d; %q is not in\n%s", status, want, stdout)
		}
	}
}

// Long names are broken into lines, and the columns stay where they are.
func TestTableOfLongNames(t *testing.T) {
	long := strings.Repeat("long-", 15) + "name"
	_, stdout, _ := plan(load("default", "a", "")+load("other-"+long[:40], long, onNodeOf("another-"+long)), "-")
	want := `
  FLOW  #  OPERATION              KIND  AFTER                  INHERITS  STATE
  1     1  default/a              Load  -                      -         Ready
✗ 2     2  `
	if !strings.Contains("\n"+stdout, want) {
		t.Errorf("%q is not in\n%s", want, stdout)
	}
}

// Characters that take two cells of a terminal do not move the columns.
func TestTableMeasuresCells(t *testing.T) {
	rows := [][]string{{"A", "B"}, {"漢字", "x"}, {"e\u0301", "y"}}
	if got, want := aligned(rows), "A     B\n漢字  x\ne\u0301     y\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
