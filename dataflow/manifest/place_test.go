package manifest_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"github.com/fluid-cloudnative/slipstream/dataflow/manifest"
)

// tree writes fields that are drawn at random, in YAML or JSON, and notes in which line each
// of them stands.
type tree struct {
	t     *rapid.T
	json  bool
	text  strings.Builder
	line  int
	lines map[string]int
}

func (w *tree) write(text string) {
	w.text.WriteString(text)
	w.line += strings.Count(text, "\n")
}

func (w *tree) chance(what string, of int) bool { return rapid.IntRange(1, of).Draw(w.t, what) == 1 }

// value writes what stands at a path, after its key or dash.
func (w *tree) value(path, indent string, depth int) {
	n := rapid.IntRange(1, 4).Draw(w.t, "children")
	isList := w.chance("list", 2)
	if depth == 0 {
		w.write(map[bool]string{true: `"x: [y"`, false: " 'x: y' # z: 1\n"}[w.json])
		return
	}
	if w.json {
		w.write(map[bool]string{true: "[", false: "{"}[isList])
	} else {
		w.write("\n")
	}
	for i := range n {
		at, key := fmt.Sprintf("%s[%d]", path, i), "- "
		if !isList {
			name := string(rune('a' + i))
			at, key = path+"."+name, name+":"
			if w.chance("slash", 4) {
				name += ".b/c"
				at, key = path+"["+name+"]", name+":"
			}
			if w.json {
				key = fmt.Sprintf("%q:", name)
			}
		} else if w.json {
			key = ""
		}
		if w.json && i > 0 {
			w.write(",")
		}
		if w.chance("blank line", 4) {
			w.write("\n")
		}
		if !w.json {
			w.write(indent)
		}
		w.lines[strings.TrimPrefix(at, ".")] = w.line
		w.write(key)
		w.value(at, indent+"  ", depth-1)
	}
	if w.json {
		w.write(map[bool]string{true: "]", false: "}"}[isList])
	}
}

// Every field is found in its line, in objects of all sizes: of large ones the lines are kept.
func TestEveryFieldIsFoundInItsLine(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := &tree{t: t, json: rapid.Bool().Draw(t, "json"), line: 1, lines: map[string]int{}}
		padding := rapid.SampledFrom([]string{"", strings.Repeat("x", 10_000)}).Draw(t, "padding")
		const head = `"apiVersion": "data.fluid.io/v1alpha1",` + "\n" + `"kind": "DataLoad", "metadata": {"name": "a"}, "x": `
		if w.json {
			w.write("{" + head)
		} else {
			w.write(load("a"))
			w.write("x:")
		}
		w.lines["x"] = w.line
		w.value("x", "  ", rapid.IntRange(0, 4).Draw(t, "depth"))
		if w.json {
			w.write(`, "padding": "` + padding + `"}`)
		} else {
			w.write("padding: " + padding + "\n")
		}
		m, err := manifest.Read("f", strings.NewReader(w.text.String()))
		if err != nil || len(m.Operations) != 1 {
			t.Fatalf("%v\n%s", err, &w.text)
		}
		for path, line := range w.lines {
			for _, asked := range []string{path, path + ".no", path + "[7]"} {
				if got := m.Operations[0].PlaceOf(asked).Line; got != line {
					t.Fatalf("%s stands in line %d, want %d\n%s", asked, got, line, &w.text)
				}
			}
		}
	})
}

// manyRequires returns an operation that requires n labels.
func manyRequires(n int) string {
	lines := []string{"runAfter:", "  kind: DataLoad", "  name: a", "  affinityStrategy:", "    policy: Require", "    requires:"}
	for i := range n {
		lines = append(lines, fmt.Sprintf("    - name: example.com/label-%d", i))
	}
	return load("b", lines...)
}

const firstRequired = 12 // the line of the first label in manyRequires

func required(i int) string {
	return fmt.Sprintf("spec.runAfter.affinityStrategy.requires[%d].name", i)
}

// An object is gone through once, however many of its places are asked for, by copies of its
// operation too. Going through it takes more memory than looking a place up.
func TestAnObjectIsGoneThroughOnce(t *testing.T) {
	const n = 2000
	m, err := manifest.Read("f.yaml", strings.NewReader(manyRequires(n)))
	if err != nil {
		t.Fatal(err)
	}
	op := m.Operations[0]
	i := 0
	allocated := testing.AllocsPerRun(n-1, func() { // which calls it once more, at first
		of := op
		if line := of.PlaceOf(required(i)).Line; line != firstRequired+i {
			t.Errorf("%s stands in line %d", required(i), line)
		}
		i++
	})
	if allocated > 50 {
		t.Errorf("%v allocations for a place", allocated)
	}
}

func TestPlacesCanBeAskedForConcurrently(t *testing.T) {
	m, err := manifest.Read("f.yaml", strings.NewReader(manyRequires(1000)))
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for i := range 8 {
		all.Add(1)
		go func() {
			defer all.Done()
			of := m.Operations[0]
			if line := of.PlaceOf(required(i)).Line; line != firstRequired+i {
				t.Errorf("%s stands in line %d", required(i), line)
			}
		}()
	}
	all.Wait()
}

// BenchmarkPlaceOf asks for the place of every label of an operation. It is linear: the time
// for one label hardly grows.
func BenchmarkPlaceOf(b *testing.B) {
	for _, n := range []int{10, 100, 1000, 10_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.ReportAllocs()
			for range b.N {
				b.StopTimer()
				m, err := manifest.Read("f.yaml", strings.NewReader(manyRequires(n)))
				if err != nil {
					b.Fatal(err)
				}
				b.StartTimer()
				for i := range n {
					m.Operations[0].PlaceOf(required(i))
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/place")
		})
	}
}
