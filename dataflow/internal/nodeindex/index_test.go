package nodeindex_test

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"pgregory.net/rapid"

	"github.com/fluid-cloudnative/slipstream/dataflow/internal/nodeindex"
	"github.com/fluid-cloudnative/slipstream/internal/growth"
	"github.com/fluid-cloudnative/slipstream/internal/nodeselector"
)

// nodes draws few and many nodes, with few and many nodes in a rack, some of which lack labels.
func nodes() *rapid.Generator[[]corev1.Node] {
	return rapid.Custom(func(t *rapid.T) []corev1.Node {
		n := rapid.SampledFrom([]int{0, 1, 2, 3, 5, 64, 65, 200, 400}).Draw(t, "n")
		racks := rapid.IntRange(1, 100).Draw(t, "racks")
		pattern := rapid.SliceOfN(rapid.IntRange(0, 15), 1, 20).Draw(t, "pattern")
		all := make([]corev1.Node, n)
		for i := range all {
			has := pattern[i%len(pattern)]
			labels := map[string]string{}
			if has&3 != 0 {
				labels["host"] = fmt.Sprint("h", i)
			}
			if has&4 != 0 {
				labels["rack"] = fmt.Sprint("r", i%racks)
			}
			if has&8 != 0 {
				labels["zone"] = fmt.Sprint("", i%3)
			}
			all[i] = corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprint("n", i), Labels: labels}}
		}
		return all
	})
}

func sets(n int) *rapid.Generator[map[int]bool] {
	return rapid.Custom(func(t *rapid.T) map[int]bool {
		set := map[int]bool{}
		for _, i := range rapid.SliceOfN(rapid.IntRange(0, max(n, 1)-1), 0, 6).Draw(t, "nodes") {
			set[i] = n > 0
		}
		return set
	})
}

func build(c *nodeindex.Index, all []corev1.Node, of map[int]bool) nodeindex.Set {
	return c.Matching([]nodeselector.Term{nil}).Filter(func(i int) bool { return of[i] })
}

func TestAgreement(t *testing.T) {
	keys := rapid.SliceOfN(rapid.SampledFrom([]string{"host", "rack", "zone", "none"}), 1, 3)
	rapid.Check(t, func(t *rapid.T) {
		all := nodes().Draw(t, "nodes")
		c, _ := nodeindex.New(all)
		on := keys.Draw(t, "keys")
		agrees := func(b, a int) bool {
			for _, key := range on {
				value, ok := all[a].Labels[key]
				if got, has := all[b].Labels[key]; ok && (!has || got != value) {
					return false
				}
			}
			return true
		}
		set := sets(len(all)).Draw(t, "set")
		followers, leaders := map[int]bool{}, map[int]bool{}
		for i := range all {
			for s := range set {
				if !set[s] {
					continue
				}
				followers[i] = followers[i] || agrees(i, s)
				leaders[i] = leaders[i] || agrees(s, i)
			}
		}
		a := c.Agreement(on)
		if got := a.Followers(build(c, all, set)); !slices.Equal(slices.Collect(got.All()), members(followers)) {
			t.Fatalf("Followers(%v) = %v, want %v", set, slices.Collect(got.All()), members(followers))
		}
		if got := a.Leaders(build(c, all, set)); !slices.Equal(slices.Collect(got.All()), members(leaders)) {
			t.Fatalf("Leaders(%v) = %v, want %v", set, slices.Collect(got.All()), members(leaders))
		}
		if c.Agreement(on) != a {
			t.Fatal("computed twice")
		}
		checkLower(t, a, all, agrees)
	})
}

// checkLower compares Lower with its definition.
func checkLower(t *rapid.T, a *nodeindex.Agreement, all []corev1.Node, agrees func(b, a int) bool) {
	const least = -1
	numbers := func(label string) []int32 {
		return rapid.SliceOfN(rapid.Int32Range(0, 9), len(all), len(all)).Draw(t, label)
	}
	x, _ := nodeindex.New(all)
	leaders, followers := sets(len(all)).Draw(t, "leaders"), sets(len(all)).Draw(t, "followers")
	before, of := numbers("numbers"), numbers("of")
	want := slices.Clone(before)
	for i := range all {
		if leaders[i] {
			greatest := int32(least)
			for f := range followers {
				if followers[f] && agrees(f, i) {
					greatest = max(greatest, of[f])
				}
			}
			want[i] = min(want[i], greatest)
		}
	}
	got := slices.Clone(before)
	a.Lower(got, build(x, all, leaders), of, build(x, all, followers), least)
	if !slices.Equal(got, want) {
		t.Fatalf("Lower(%v, %v, %v, %v) = %v, want %v", before, leaders, of, followers, got, want)
	}
}

func members(of map[int]bool) []int {
	maps.DeleteFunc(of, func(_ int, has bool) bool { return !has })
	return slices.Sorted(maps.Keys(of))
}

func TestSets(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := nodes().Draw(t, "nodes")
		c, _ := nodeindex.New(all)
		a, b := sets(len(all)).Draw(t, "a"), sets(len(all)).Draw(t, "b")
		s, o := build(c, all, a), build(c, all, b)
		both, rest := map[int]bool{}, map[int]bool{}
		for i := range a {
			both[i], rest[i] = a[i] && b[i], a[i] && !b[i]
		}
		check := func(what string, got nodeindex.Set, want map[int]bool) {
			if list := members(want); !slices.Equal(slices.Collect(got.All()), list) || got.Len() != len(list) || got.Empty() != (len(list) == 0) {
				t.Fatalf("%s = %v, want %v", what, slices.Collect(got.All()), list)
			}
		}
		subset := len(members(rest)) == 0
		check("Intersection", s.Intersection(o), both)
		check("Difference", s.Difference(o), rest)
		check("Filter", s.Filter(func(i int) bool { return b[i] }), both)
		check("an operand", s, a)
		if s.SubsetOf(o) != subset || s.Intersects(o) != (len(both) > 0) || s.Equal(o) != slices.Equal(members(a), members(b)) {
			t.Fatalf("%v, %v: SubsetOf %v, Intersects %v, Equal %v", a, b, s.SubsetOf(o), s.Intersects(o), s.Equal(o))
		}
		if first := s.First(); first != append(members(a), -1)[0] || first >= 0 && !s.Has(first) {
			t.Fatalf("First of %v = %d", a, first)
		}
	})
}

func TestLawX1MatchingIsTheVerdictOnEachNode(t *testing.T) {
	expressions := rapid.Custom(func(t *rapid.T) corev1.NodeSelectorRequirement {
		e := corev1.NodeSelectorRequirement{
			Key: rapid.SampledFrom([]string{"host", "rack", "zone", "none"}).Draw(t, "key"),
			Operator: rapid.SampledFrom([]corev1.NodeSelectorOperator{corev1.NodeSelectorOpIn, corev1.NodeSelectorOpNotIn,
				corev1.NodeSelectorOpExists, corev1.NodeSelectorOpDoesNotExist, corev1.NodeSelectorOpGt, corev1.NodeSelectorOpLt}).Draw(t, "operator"),
		}
		switch e.Operator {
		case corev1.NodeSelectorOpIn, corev1.NodeSelectorOpNotIn:
			e.Values = rapid.SliceOfN(rapid.SampledFrom([]string{"h1", "r0", "r1", "0", "1", "x"}), 1, 3).Draw(t, "values")
		case corev1.NodeSelectorOpGt, corev1.NodeSelectorOpLt:
			e.Values = []string{rapid.SampledFrom([]string{"1", "word"}).Draw(t, "bound")}
		}
		return e
	})
	rapid.Check(t, func(t *rapid.T) {
		all := nodes().Draw(t, "nodes")
		c, _ := nodeindex.New(all)
		var terms []nodeselector.Term
		for range rapid.IntRange(0, 2).Draw(t, "terms") {
			term := corev1.NodeSelectorTerm{MatchExpressions: rapid.SliceOfN(expressions, 0, 3).Draw(t, "term")}
			if rapid.IntRange(0, 3).Draw(t, "field") == 3 {
				term.MatchFields = []corev1.NodeSelectorRequirement{{Key: "metadata.name",
					Operator: rapid.SampledFrom([]corev1.NodeSelectorOperator{"In", "NotIn"}).Draw(t, "operator"), Values: []string{"n1"}}}
			}
			parsed, faults := nodeselector.ParseTerm(term, nil)
			if len(faults) > 0 {
				t.Fatal(faults)
			}
			terms = append(terms, parsed)
		}
		want := map[int]bool{}
		for i := range all {
			want[i] = slices.ContainsFunc(terms, func(term nodeselector.Term) bool { return term.Matches(all[i].Name, all[i].Labels) })
		}
		if got := slices.Collect(c.Matching(terms).All()); !slices.Equal(got, members(want)) {
			t.Fatalf("Matching(%v) = %v, want %v", terms, got, members(want))
		}
	})
}

func TestTolerated(t *testing.T) {
	const noSchedule, noExecute = corev1.TaintEffectNoSchedule, corev1.TaintEffectNoExecute
	for _, c := range []struct {
		taint corev1.Taint
		by    corev1.Toleration
		want  bool
	}{
		{corev1.Taint{Key: "k", Value: "v", Effect: noSchedule}, corev1.Toleration{Key: "k", Value: "v"}, true},
		{corev1.Taint{Key: "k", Value: "v", Effect: noSchedule}, corev1.Toleration{Key: "k", Operator: "Equal", Value: "v", Effect: noSchedule}, true},
		{corev1.Taint{Key: "k", Value: "v", Effect: noSchedule}, corev1.Toleration{Key: "k", Operator: "Equal", Value: "v", Effect: noExecute}, false},
		{corev1.Taint{Key: "k", Value: "v", Effect: noSchedule}, corev1.Toleration{Key: "k", Operator: "Equal", Value: "w"}, false},
		{corev1.Taint{Key: "k", Value: "v", Effect: noExecute}, corev1.Toleration{Key: "k", Operator: "Exists"}, true},
		{corev1.Taint{Key: "k", Value: "v", Effect: noExecute}, corev1.Toleration{Key: "l", Operator: "Exists"}, false},
		{corev1.Taint{Key: "k", Value: "v", Effect: noExecute}, corev1.Toleration{Operator: "Exists"}, true},
		{corev1.Taint{Key: "k", Value: "v", Effect: noSchedule}, corev1.Toleration{Key: "k", Operator: "In", Value: "v"}, false},
		{corev1.Taint{Key: "k", Value: "5", Effect: noSchedule}, corev1.Toleration{Key: "k", Operator: "Gt", Value: "4"}, true},
		{corev1.Taint{Key: "k", Value: "5", Effect: noSchedule}, corev1.Toleration{Key: "k", Operator: "Gt", Value: "5"}, false},
		{corev1.Taint{Key: "k", Value: "5", Effect: noSchedule}, corev1.Toleration{Key: "k", Operator: "Gt", Value: "few"}, false},
		{corev1.Taint{Key: "k", Value: "few", Effect: noSchedule}, corev1.Toleration{Key: "k", Operator: "Gt", Value: "-5"}, false},
		{corev1.Taint{Key: "k", Value: "-5", Effect: noSchedule}, corev1.Toleration{Key: "k", Operator: "Lt", Value: "few"}, false},
		{corev1.Taint{Key: "k", Value: "few", Effect: noSchedule}, corev1.Toleration{Key: "k", Operator: "Lt", Value: "5"}, false},
		{corev1.Taint{Key: "k", Value: "5", Effect: noSchedule}, corev1.Toleration{Key: "k", Operator: "Lt", Value: "6"}, true},
		{corev1.Taint{Key: "k", Value: "5", Effect: noSchedule}, corev1.Toleration{Key: "k", Operator: "Lt", Value: "5"}, false},
		{corev1.Taint{Key: "k", Value: "-5", Effect: noSchedule}, corev1.Toleration{Key: "k", Operator: "Lt", Value: "-4"}, true},
		{corev1.Taint{Key: "k", Value: "05", Effect: noSchedule}, corev1.Toleration{Key: "k", Operator: "Lt", Value: "6"}, false},
		{corev1.Taint{Key: "k", Value: "5", Effect: noSchedule}, corev1.Toleration{Key: "k", Operator: "Lt", Value: "+6"}, false},
		{corev1.Taint{Key: "k", Value: "v", Effect: corev1.TaintEffectPreferNoSchedule}, corev1.Toleration{Key: "l"}, true},
	} {
		plain := corev1.Taint{Key: "other", Effect: noSchedule}
		c1, _ := nodeindex.New([]corev1.Node{
			{ObjectMeta: metav1.ObjectMeta{Name: "clean"}},
			{ObjectMeta: metav1.ObjectMeta{Name: "tainted"}, Spec: corev1.NodeSpec{Taints: []corev1.Taint{c.taint}}},
			{ObjectMeta: metav1.ObjectMeta{Name: "tainted twice"}, Spec: corev1.NodeSpec{Taints: []corev1.Taint{c.taint, plain}}},
			{ObjectMeta: metav1.ObjectMeta{Name: "tainted too"}, Spec: corev1.NodeSpec{Taints: []corev1.Taint{c.taint}}},
		})
		want := []int{0}
		if c.want {
			want = []int{0, 1, 3}
			if c.by.Key == "" {
				want = []int{0, 1, 2, 3}
			}
		}
		if got := slices.Collect(c1.Tolerated(nodeindex.NewTolerations([]corev1.Toleration{{Key: "unlike", Operator: "Exists"}, c.by})).All()); !slices.Equal(got, want) {
			t.Errorf("%v by %v: %v, want %v", c.taint, c.by, got, want)
		}
	}
}

func TestUntolerated(t *testing.T) {
	const noSchedule, noExecute = corev1.TaintEffectNoSchedule, corev1.TaintEffectNoExecute
	node := &corev1.Node{Spec: corev1.NodeSpec{Taints: []corev1.Taint{
		{Key: corev1.TaintNodeUnschedulable, Effect: noSchedule}, // the cordon is no taint here
		{Key: "a", Effect: corev1.TaintEffectPreferNoSchedule}, {Key: "b", Effect: noSchedule}, {Key: "c", Effect: noExecute},
	}}}
	for _, c := range []struct {
		by      []corev1.Toleration
		effects []corev1.TaintEffect
		want    string
	}{
		{nil, []corev1.TaintEffect{noSchedule, noExecute}, "b"},
		{nil, []corev1.TaintEffect{noExecute}, "c"},
		{nil, nil, ""},
		{[]corev1.Toleration{{Key: "b"}}, []corev1.TaintEffect{noSchedule, noExecute}, "c"},
		{[]corev1.Toleration{{Operator: "Exists"}}, []corev1.TaintEffect{noSchedule, noExecute}, ""},
	} {
		taint, ok := nodeindex.NewTolerations(c.by).Untolerated(node, c.effects...)
		if taint.Key != c.want || ok != (c.want != "") {
			t.Errorf("Untolerated(%v, %v) = %v, %v", c.by, c.effects, taint, ok)
		}
	}
}

func TestUncordoned(t *testing.T) {
	c, _ := nodeindex.New([]corev1.Node{
		{ObjectMeta: metav1.ObjectMeta{Name: "a"}, Spec: corev1.NodeSpec{Unschedulable: true}},
		{ObjectMeta: metav1.ObjectMeta{Name: "b"}},
	})
	for _, test := range []struct {
		by   []corev1.Toleration
		want int
	}{
		{nil, 1},
		{[]corev1.Toleration{{Operator: "Exists"}}, 2},
		{[]corev1.Toleration{{Key: "node.kubernetes.io/unschedulable", Effect: "NoSchedule"}}, 2},
		{[]corev1.Toleration{{Key: "node.kubernetes.io/unschedulable", Operator: "Exists", Effect: "NoExecute"}}, 1},
	} {
		if got := c.Uncordoned(nodeindex.NewTolerations(test.by)).Len(); got != test.want {
			t.Errorf("Uncordoned(%v) has %d nodes, want %d", test.by, got, test.want)
		}
	}
}

func TestSeparating(t *testing.T) {
	node := func(name string, labels ...string) corev1.Node {
		n := corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{}}}
		for i := 0; i < len(labels); i += 2 {
			n.Labels[labels[i]] = labels[i+1]
		}
		return n
	}
	const hostname = "kubernetes.io/hostname"
	for _, c := range []struct {
		name  string
		nodes []corev1.Node
		want  int // the first so many are wanted
		key   string
		value string
	}{
		{"one value for all", []corev1.Node{node("a", "type", "gpu"), node("b", "type", "gpu"), node("c", "type", "cpu")}, 2, "type", "[gpu]"},
		{"several values", []corev1.Node{node("a", "rack", "2"), node("b", "rack", "1"), node("c", "rack", "3")}, 2, "rack", "[1 2]"},
		{"fewer values come first", []corev1.Node{node("a", "a", "1", "b", "1"), node("b", "a", "2", "b", "1"), node("c", "a", "3", "b", "2")}, 2, "b", "[1]"},
		{"then fewer in all", []corev1.Node{node("a", "a", "1", "b", "1"), node("b", "a", "2", "b", "2"), node("c", "a", "3", "b", "2")}, 1, "b", "[1]"},
		{"then the name", []corev1.Node{node("a", "b", "1", "a", "1"), node("b", "b", "2", "a", "2")}, 1, "a", "[1]"},
		{"another label than the hostname", []corev1.Node{node("a", hostname, "a", "rack", "1"), node("b", hostname, "b", "rack", "2"), node("c", hostname, "c", "rack", "3")}, 2, "rack", "[1 2]"},
		{"the hostname", []corev1.Node{node("a", hostname, "a", "rack", "1"), node("b", hostname, "b", "rack", "1")}, 1, hostname, "[a]"},
		{"one lacks it", []corev1.Node{node("a", "type", "gpu"), node("b"), node("c", "type", "cpu")}, 2, "", "[]"},
		{"another has it", []corev1.Node{node("a", "type", "gpu"), node("b", "type", "cpu"), node("c", "type", "cpu")}, 2, "", "[]"},
		{"no such label can be named", []corev1.Node{node("a", "not a key", "gpu", "key", "not a value")}, 1, "", "[]"},
		{"the empty value", []corev1.Node{node("a", "type", ""), node("b", "type", "cpu")}, 1, "type", "[]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			cat, faults := nodeindex.New(c.nodes)
			if len(faults) > 0 {
				t.Fatal(faults)
			}
			key, values, ok := cat.Separating(cat.All().Filter(func(i int) bool { return i < c.want }), cat.All())
			if key != c.key || fmt.Sprint(values) != c.value || ok != (c.key != "") {
				t.Errorf("Separating = %s, %v, %v; want %s, %s", key, values, ok, c.key, c.value)
			}
		})
	}
}

func TestToleratedOnNodesWithManyTaints(t *testing.T) {
	taints := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) corev1.Taint {
		return corev1.Taint{
			Key:    rapid.SampledFrom([]string{"k", "l", "kl", ""}).Draw(t, "key"),
			Value:  rapid.SampledFrom([]string{"", "k", "l"}).Draw(t, "value"),
			Effect: rapid.SampledFrom([]corev1.TaintEffect{"NoSchedule", "NoExecute", "PreferNoSchedule"}).Draw(t, "effect"),
		}
	}), 0, 3)
	rapid.Check(t, func(t *rapid.T) {
		all := make([]corev1.Node, rapid.IntRange(0, 130).Draw(t, "n"))
		kinds := rapid.SliceOfN(taints, 1, 12).Draw(t, "taints")
		for i := range all {
			all[i].Name, all[i].Spec.Taints = fmt.Sprint("n", i), kinds[i%len(kinds)]
		}
		by := taints.Draw(t, "tolerated")
		var tolerations []corev1.Toleration
		for _, taint := range by {
			tolerations = append(tolerations, corev1.Toleration{Key: taint.Key, Value: taint.Value, Effect: taint.Effect,
				Operator: map[bool]corev1.TolerationOperator{true: "Exists"}[taint.Key == ""]})
		}
		var want []int
		for i := range all {
			tolerated := true
			for _, taint := range all[i].Spec.Taints {
				tolerated = tolerated && (taint.Effect == "PreferNoSchedule" ||
					slices.ContainsFunc(by, func(b corev1.Taint) bool {
						return (b.Key == "" || b.Key == taint.Key && b.Value == taint.Value) && b.Effect == taint.Effect
					}))
			}
			if tolerated {
				want = append(want, i)
			}
		}
		c, _ := nodeindex.New(all)
		if got := slices.Collect(c.Tolerated(nodeindex.NewTolerations(tolerations)).All()); !slices.Equal(got, want) {
			t.Fatalf("%v by %v: %v, want %v", kinds, tolerations, got, want)
		}
	})
}

func TestNewReportsNames(t *testing.T) {
	named := func(name string) corev1.Node { return corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}} }
	x, faults := nodeindex.New([]corev1.Node{named("a"), named("b"), named(""), named("a"), named(""), named("a")})
	var got []string
	for _, fault := range faults {
		got = append(got, fault.Error())
	}
	slices.Sort(got)
	if want := []string{
		"nodes[2].metadata.name: Required value: every node needs a name",
		`nodes[3].metadata.name: Duplicate value: "a"`,
		"nodes[4].metadata.name: Required value: every node needs a name",
		`nodes[5].metadata.name: Duplicate value: "a"`,
	}; !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
	if i, ok := x.Find("b"); i != 1 || !ok {
		t.Errorf("Find = %d, %v", i, ok)
	}
	if i, ok := x.Find("c"); ok {
		t.Errorf("Find = %d, %v", i, ok)
	}
	if got := slices.Collect(x.Named("b").All()); !slices.Equal(got, []int{1}) || !x.Named("c").Empty() {
		t.Errorf("Named = %v", got)
	}
}

func TestLabelled(t *testing.T) {
	node := func(name string, labels map[string]string) corev1.Node {
		return corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels}}
	}
	x, _ := nodeindex.New([]corev1.Node{
		node("a", map[string]string{"zone": "1", "rack": "1"}), node("b", map[string]string{"zone": "1", "": "1"}), node("c", nil),
	})
	for _, c := range []struct {
		labels map[string]string
		want   []int
	}{
		{nil, []int{0, 1, 2}}, {map[string]string{"zone": "1"}, []int{0, 1}}, {map[string]string{"zone": "1", "rack": "1"}, []int{0}},
		{map[string]string{"zone": "2"}, nil}, {map[string]string{"gpu": "1"}, nil},
	} {
		if got := slices.Collect(x.Labelled(maps.All(c.labels)).All()); !slices.Equal(got, c.want) {
			t.Errorf("Labelled(%v) = %v, want %v", c.labels, got, c.want)
		}
	}
	if !x.HasLabel("rack") || x.HasLabel("gpu") {
		t.Error("HasLabel is wrong")
	}
}

func TestSparseSet(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		list := rapid.SliceOfDistinct(rapid.Int32Range(0, 300), rapid.ID).Draw(t, "nodes")
		slices.Sort(list)
		s := nodeindex.NewSparseSet(list)
		var got []int32
		for node := range s.All() {
			got = append(got, int32(node))
		}
		if !slices.Equal(got, list) && len(list) > 0 || s.Len() != len(list) {
			t.Fatalf("%v holds %v", list, got)
		}
		for node := range int32(301) {
			if s.Has(int(node)) != slices.Contains(list, node) {
				t.Fatalf("%v has %d: %v", list, node, s.Has(int(node)))
			}
		}
		for node := range s.All() {
			if node != int(list[0]) {
				t.Fatal("All does not stop")
			}
			break
		}
	})
}

// racks returns n nodes with a hostname each, in racks of 20.
func racks(n int) []corev1.Node {
	all := make([]corev1.Node, n)
	for i := range all {
		all[i] = corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprint("n", i), Labels: map[string]string{
			"host": fmt.Sprint(i), "rack": fmt.Sprint(i / 20), "zone": fmt.Sprint(i % 3),
		}}}
	}
	return all
}

func TestLawG1Growth(t *testing.T) {
	if testing.Short() {
		return
	}
	agreement := func(nodes []corev1.Node, keys []string) func() {
		return func() {
			x, _ := nodeindex.New(nodes)
			a := x.Agreement(keys)
			a.Followers(x.All())
			a.Leaders(x.All())
			a.Lower(make([]int32, len(nodes)), x.All(), make([]int32, len(nodes)), x.All(), 0)
		}
	}
	// random returns n nodes, each of which has each of the keys or not.
	random := func(n, keys int, value func(i, key int) string) ([]corev1.Node, []string) {
		all, names, state := make([]corev1.Node, n), make([]string, keys), uint64(1)
		for k := range names {
			names[k] = fmt.Sprint("key-", k)
		}
		for i := range all {
			labels := map[string]string{}
			for k := range keys {
				if state = state*6364136223846793005 + 1442695040888963407; state>>40&1 == 1 {
					labels[names[k]] = value(i, k)
				}
			}
			all[i] = corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprint("n", i), Labels: labels}}
		}
		return all, names
	}
	for name, prepare := range map[string]func(n int) func(){
		"nodes, by hostname":      func(n int) func() { return agreement(racks(n), []string{"host"}) },
		"nodes, by rack and zone": func(n int) func() { return agreement(racks(n), []string{"rack", "zone"}) },
		"nodes, by rack and host, some of which lack one": func(n int) func() {
			all := racks(n)
			for i := range all {
				if i%3 == 0 {
					delete(all[i].Labels, "host")
				} else if i%3 == 1 {
					delete(all[i].Labels, "rack")
				}
			}
			return agreement(all, []string{"host", "rack"})
		},
		"nodes with 8 labels, present or not": func(n int) func() {
			return agreement(random(n, 8, func(i, key int) string { return "" }))
		},
		"nodes with 8 labels and a hostname, present or not": func(n int) func() {
			return agreement(random(n, 8, func(i, key int) string {
				if key == 7 {
					return fmt.Sprint(i)
				}
				return ""
			}))
		},
		"keys": func(n int) func() {
			return agreement(random(100, n/20, func(i, key int) string { return fmt.Sprint(i % 10) }))
		},
		"keys that no node has": func(n int) func() {
			keys := make([]string, n)
			for k := range keys {
				keys[k] = fmt.Sprint("key-", k)
			}
			return agreement(racks(2000), append(keys, "rack"))
		},
		"terms": func(n int) func() {
			x, _ := nodeindex.New(racks(2000))
			expressions := make([]corev1.NodeSelectorTerm, n)
			for i := range expressions {
				expressions[i].MatchExpressions = []corev1.NodeSelectorRequirement{{Key: "host", Operator: corev1.NodeSelectorOpIn, Values: []string{fmt.Sprint(i)}}}
			}
			terms, _ := nodeselector.ParseTerms(expressions, "")
			return func() { x.Matching(terms) }
		},
		"distinct taints": func(n int) func() {
			all := racks(n)
			for i := range all {
				all[i].Spec.Taints = []corev1.Taint{{Key: "until", Value: fmt.Sprint(i), Effect: corev1.TaintEffectNoSchedule}}
			}
			return func() {
				x, _ := nodeindex.New(all)
				x.Tolerated(nodeindex.NewTolerations(nil))
			}
		},
		"tolerations": func(n int) func() {
			x, _ := nodeindex.New(racks(100))
			tolerations := make([]corev1.Toleration, n)
			for i := range tolerations {
				tolerations[i] = corev1.Toleration{Key: fmt.Sprint("key-", i), Operator: corev1.TolerationOpExists}
			}
			return func() { x.Tolerated(nodeindex.NewTolerations(tolerations)) }
		},
		"separating labels": func(n int) func() {
			x, _ := nodeindex.New(racks(n))
			return func() {
				x.Separating(x.All().Filter(func(i int) bool { return i < 30 }), x.All())
			}
		},
	} {
		t.Run(name, func(t *testing.T) { growth.Check(t, 2000, prepare) })
	}
}
