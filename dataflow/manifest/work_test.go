//go:build !race

// Under the race detector sync.Pool drops objects at random, so allocations say nothing there.

package manifest_test

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fluid-cloudnative/slipstream/dataflow"
	"github.com/fluid-cloudnative/slipstream/dataflow/manifest"
)

// The search for the object that costs most for its size. A genome describes an object: each part of
// four bytes says what is added to it, how much of the size it takes, and how keys and values vary.
//
//	go test -fuzz FuzzWork -parallel 1 ./dataflow/manifest
//
// looks for worse ones. Those in testdata/fuzz/FuzzWork are the worst that it found.

// grower adds items to an object until it has the wanted size.
type grower struct {
	object, metadata, annotations, spec, status map[string]any
	terms, preferred                            []any
	size                                        int // of the JSON, about
}

// express returns the object of a genome, of about the given size in JSON.
func express(genome []byte, size int) map[string]any {
	g := &grower{annotations: map[string]any{}, spec: map[string]any{}, status: map[string]any{}}
	g.metadata = map[string]any{"name": "a", "namespace": "default", "annotations": g.annotations}
	g.object = map[string]any{"apiVersion": "data.fluid.io/v1alpha1", "kind": "DataLoad", "metadata": g.metadata, "spec": g.spec, "status": g.status}
	total := 0
	for i := 0; i+3 < len(genome) && i < 32; i += 4 {
		total += 1 + int(genome[i+1])
	}
	for i := 0; i+3 < len(genome) && i < 32; i += 4 {
		g.size = 0
		for item := 0; g.size < size*(1+int(genome[i+1]))/total; item++ {
			g.add(genome[i], genome[i+2], genome[i+3], item)
		}
	}
	node := map[string]any{}
	if g.terms != nil {
		node["requiredDuringSchedulingIgnoredDuringExecution"] = map[string]any{"nodeSelectorTerms": g.terms}
	}
	if g.preferred != nil {
		node["preferredDuringSchedulingIgnoredDuringExecution"] = g.preferred
	}
	if len(node) > 0 {
		affinity, _ := g.spec["affinity"].(map[string]any)
		if affinity == nil {
			affinity = map[string]any{}
		}
		affinity["nodeAffinity"] = node
		g.spec["affinity"] = affinity
	}
	return g.object
}

// word returns a word of a style: the same each time, one of a few, another one each time, short or
// long, and well-formed or not.
func word(style byte, item int) string {
	number := []int{0, item % 7, item % 200, item}[style&3]
	switch style >> 2 & 7 {
	case 0, 1:
		return fmt.Sprint("w", number)
	case 2:
		return strconv.Itoa(number)
	case 3:
		return strings.Repeat("a", 50) + strconv.Itoa(number%1_000_000)
	case 4:
		return "example.com/" + strconv.Itoa(number)
	case 5:
		return fmt.Sprint("- \n", number)
	case 6:
		return "kubernetes.io/hostname"
	default:
		return []string{"x0", "topology.kubernetes.io/zone", "x1"}[number%3]
	}
}

func (g *grower) add(what, key, value byte, item int) {
	operators := []string{"In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt", "Near"}
	k, v := word(key, item), word(value, item)
	g.size += len(k) + len(v) + 8
	expression := func() any {
		operator := operators[int(value>>5)%len(operators)]
		e := map[string]any{"key": k, "operator": operator}
		if operator != "Exists" && operator != "DoesNotExist" {
			e["values"] = []any{v}
		}
		g.size += 40
		return e
	}
	list := func(object map[string]any, name string, of any) {
		items, _ := object[name].([]any)
		object[name] = append(items, of)
		g.size += 10
	}
	entry := func(object map[string]any, name string, of any) {
		entries, _ := object[name].(map[string]any)
		if entries == nil {
			entries = map[string]any{}
			object[name] = entries
		}
		entries[k] = of
	}
	section := func(object map[string]any, name string) map[string]any {
		s, _ := object[name].(map[string]any)
		if s == nil {
			s = map[string]any{}
			object[name] = s
		}
		return s
	}
	last := func() map[string]any {
		if len(g.terms) == 0 {
			g.terms = append(g.terms, map[string]any{})
		}
		return g.terms[len(g.terms)-1].(map[string]any)
	}
	strategy := func() map[string]any {
		runAfter := section(g.spec, "runAfter")
		runAfter["kind"], runAfter["name"] = "DataLoad", "b"
		return section(runAfter, "affinityStrategy")
	}
	podTerm := func() any {
		g.size += 60
		return map[string]any{"topologyKey": k, "namespaces": []any{v}, "labelSelector": map[string]any{"matchLabels": map[string]any{k: v}}}
	}
	switch what % 18 {
	case 0:
		g.terms = append(g.terms, map[string]any{"matchExpressions": []any{expression()}})
		g.size += 30
	case 1:
		list(last(), "matchExpressions", expression())
	case 2: // values of the last expression
		if e, _ := last()["matchExpressions"].([]any); len(e) > 0 {
			list(e[len(e)-1].(map[string]any), "values", v)
		} else {
			list(last(), "matchExpressions", expression())
		}
	case 3:
		g.terms = append(g.terms, map[string]any{"matchFields": []any{map[string]any{"key": "metadata.name", "operator": "In", "values": []any{v}}}})
		g.size += 80
	case 4:
		g.preferred = append(g.preferred, map[string]any{"weight": int64(1 + item%100), "preference": map[string]any{"matchExpressions": []any{expression()}}})
		g.size += 60
	case 5:
		entry(g.spec, "nodeSelector", v)
	case 6:
		list(g.spec, "tolerations", map[string]any{"key": k, "operator": []string{"Exists", "Equal", "Near"}[item%3], "value": v})
		g.size += 40
	case 7:
		strategy()["policy"] = "Require"
		list(strategy(), "requires", map[string]any{"name": k})
	case 8:
		strategy()["policy"] = "Prefer"
		list(strategy(), "prefers", map[string]any{"name": k, "weight": int64(item % 102)})
	case 9:
		labels, _ := g.annotations["affinity.dataflow.fluid.io/labels"].(string)
		if len(labels) < 1<<16 { // to concatenate more takes too long here
			g.annotations["affinity.dataflow.fluid.io/labels"] = labels + "," + k
		}
	case 10:
		g.annotations[k] = v
	case 11:
		g.spec[k] = v
	case 12:
		g.spec["tolerations"+k] = v
	case 13:
		resources := section(g.spec, "resources")
		entry(resources, []string{"limits", "requests"}[item%2], int64(item))
	case 14:
		pod := section(section(g.spec, "affinity"), []string{"podAffinity", "podAntiAffinity"}[item%2])
		list(pod, "requiredDuringSchedulingIgnoredDuringExecution", podTerm())
	case 15:
		g.status["phase"] = "Complete"
		required := section(section(g.status, "nodeAffinity"), "requiredDuringSchedulingIgnoredDuringExecution")
		if required["nodeSelectorTerms"] == nil {
			required["nodeSelectorTerms"] = []any{map[string]any{}}
		}
		list(required["nodeSelectorTerms"].([]any)[0].(map[string]any), "matchExpressions", map[string]any{"key": k, "operator": "In", "values": []any{v}})
		g.size += 40
	case 16:
		entry(section(g.spec, "podMetadata"), "labels", v)
	case 17:
		g.object["kind"] = "DataProcess"
		pod := section(section(section(g.spec, "processor"), "job"), "podSpec")
		list(pod, []string{"containers", "initContainers"}[item%2], map[string]any{"name": v, "resources": map[string]any{"limits": map[string]any{k: int64(1)}}})
		g.size += 40
	}
}

// stages are what is done with an object: it is decoded, checked and explained, alone and with an
// operation that has the same spec, before and after it.
func stages(object map[string]any) []stage {
	var op *manifest.Operation
	var all []dataflow.Operation
	var f *dataflow.Flow
	nodes := make([]corev1.Node, 4)
	for i := range nodes {
		nodes[i] = corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprint("n", i), Labels: map[string]string{
			"kubernetes.io/hostname": fmt.Sprint("w", i), "topology.kubernetes.io/zone": fmt.Sprint("w", i%2), "w0": "w0",
		}}}
	}
	return []stage{
		{"Decode", func() {
			op, _ = manifest.Decode(object)
			before, after := op.Operation, op.Operation
			before.Ref.Name, after.Ref.Name = "b", "c"
			before.RunAfter = nil
			all = []dataflow.Operation{before, op.Operation, after}
			if after.RunAfter != nil {
				next := *after.RunAfter
				next.Ref.Name = op.Ref.Name
				all[2].RunAfter = &next
			}
		}},
		{"Check", func() { dataflow.Check(all...) }},
		{"New", func() { f, _ = dataflow.New(all...) }},
		{"LookaheadAll", func() {
			for r := range f.LookaheadAll() {
				if r.Err != nil {
					_ = r.Err.Error()
				}
			}
		}},
		{"ResolveAll", func() {
			for range f.ResolveAll(map[dataflow.Ref]dataflow.Observation{all[0].Ref: op.Observation}) {
				continue
			}
		}},
		{"LiveProblems", func() { f.LiveProblems(map[dataflow.Ref]dataflow.Observation{all[0].Ref: op.Observation}) }},
		{"HostProblems", func() { f.HostProblems(dataflow.Fluid1_0) }},
		{"Forecast", func() {
			index, _ := dataflow.IndexNodes(nodes, nil)
			fc, _ := f.Forecast(index, dataflow.ForecastOptions{})
			fc.Problems()
			fc.Groups()
			for _, o := range all {
				fc.Affinity(o.Ref)
				fc.Why(o.Ref, "n1")
			}
		}},
	}
}

type stage struct {
	name string
	run  func()
}

// most is the memory that a stage may allocate for three operations of the given size: that of law
// G2 for each.
func most(size int) uint64 { return 3 * 256 * uint64(size) << 20 / (3 << 19) }

// work runs the stages. It returns the most that one of them allocates, how long one takes, and whether
// one allocates too much.
func work(t *testing.T, genome []byte, size int) (bytes uint64, elapsed time.Duration, tooMuch bool) {
	for _, s := range stages(express(genome, size)) {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		start := time.Now()
		s.run()
		took := time.Since(start)
		runtime.ReadMemStats(&after)
		allocated := after.TotalAlloc - before.TotalAlloc
		t.Logf("%-12s %6.1f MiB, %v", s.name, float64(allocated)/(1<<20), took.Round(time.Millisecond))
		bytes, elapsed, tooMuch = max(bytes, allocated), max(elapsed, took), tooMuch || allocated > most(size)
	}
	return bytes, elapsed, tooMuch
}

func FuzzWork(f *testing.F) {
	for what := range byte(18) {
		f.Add([]byte{what, 1, 3, 3})
		f.Add([]byte{what, 1, 0, 3, 1, 1, 3, 3})
	}
	f.Fuzz(func(t *testing.T, genome []byte) {
		if len(genome) < 4 || len(genome) > 32 {
			return
		}
		size := 32 << 10
		if testing.Short() {
			size /= 8
		}
		bytes, elapsed, tooMuch := work(t, genome, size)
		if tooMuch { // perhaps it is what any small object may cost
			const size = 512 << 10
			if _, _, tooMuch := work(t, genome, size); tooMuch {
				t.Errorf("%x: more than %d MiB allocated for %d bytes", genome, most(size)>>20, size)
			}
		}
		// More work is more coverage, so that the genome is kept and changed further.
		climb(float64(bytes) / float64(size))
		climb(float64(elapsed.Microseconds()) / float64(size) * 1000)
	})
}

// climb executes one more branch for each power of 1.2 up to x.
func climb(x float64) {
	height := 0
	for x > 1 && height < len(rungs) {
		x /= 1.2
		rungs[height]()
		height++
	}
}

// rungs are branches that coverage tells apart.
var rungs = []func(){
	func() { rung += 1 },
	func() { rung += 2 },
	func() { rung += 3 },
	func() { rung += 4 },
	func() { rung += 5 },
	func() { rung += 6 },
	func() { rung += 7 },
	func() { rung += 8 },
	func() { rung += 9 },
	func() { rung += 10 },
	func() { rung += 11 },
	func() { rung += 12 },
	func() { rung += 13 },
	func() { rung += 14 },
	func() { rung += 15 },
	func() { rung += 16 },
	func() { rung += 17 },
	func() { rung += 18 },
	func() { rung += 19 },
	func() { rung += 20 },
	func() { rung += 21 },
	func() { rung += 22 },
	func() { rung += 23 },
	func() { rung += 24 },
	func() { rung += 25 },
	func() { rung += 26 },
	func() { rung += 27 },
	func() { rung += 28 },
	func() { rung += 29 },
	func() { rung += 30 },
	func() { rung += 31 },
	func() { rung += 32 },
	func() { rung += 33 },
	func() { rung += 34 },
	func() { rung += 35 },
	func() { rung += 36 },
	func() { rung += 37 },
	func() { rung += 38 },
	func() { rung += 39 },
	func() { rung += 40 },
	func() { rung += 41 },
	func() { rung += 42 },
	func() { rung += 43 },
	func() { rung += 44 },
	func() { rung += 45 },
	func() { rung += 46 },
	func() { rung += 47 },
	func() { rung += 48 },
}

var rung int

// The worst objects that the search found, as large as an API server accepts them (law G2).
func TestLawG2TheWorstObjectsFound(t *testing.T) {
	files, err := filepath.Glob("testdata/fuzz/FuzzWork/*")
	if err != nil || len(files) == 0 {
		t.Fatal("no seeds: ", err)
	}
	size := 3 << 19
	if testing.Short() {
		size /= 64
	}
	for _, path := range files {
		t.Run(filepath.Base(path), func(t *testing.T) {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			_, literal, _ := strings.Cut(string(text), "[]byte(")
			genome, err := strconv.Unquote(strings.TrimSuffix(strings.TrimSpace(literal), ")"))
			if err != nil {
				t.Fatal(err)
			}
			if _, _, tooMuch := work(t, []byte(genome), size); tooMuch {
				t.Errorf("more than %d MiB allocated", most(size)>>20)
			}
		})
	}
}
