package nodeindex

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"pgregory.net/rapid"
)

// The graph and the matrix of a relation give the same answers. That the answers are right is
// tested elsewhere, mostly on graphs.
func TestGraphAndMatrixAgree(t *testing.T) {
	graphAndMatrixAgree(t, 250, 30, 2, 0) // few nodes have each value
	graphAndMatrixAgree(t, 250, 2, 2, 0)
	rapid.Check(t, func(t *rapid.T) {
		graphAndMatrixAgree(t, rapid.IntRange(0, 250).Draw(t, "nodes"), rapid.SampledFrom([]int{1, 2, 30}).Draw(t, "values"),
			rapid.Int32Range(2, 4).Draw(t, "least"), rapid.Uint64().Draw(t, "seed"))
	})
}

func graphAndMatrixAgree(t interface {
	Fatal(...any)
	Fatalf(string, ...any)
}, size, values int, least int32, seed uint64) {
	keys := []string{"a", "b", "c", "d"}
	nodes, random := make([]corev1.Node, size), rand.New(rand.NewPCG(seed, 0))
	for i := range nodes {
		labels := map[string]string{}
		for _, key := range keys {
			if random.IntN(3) > 0 {
				labels[key] = fmt.Sprint(random.IntN(values))
			}
		}
		nodes[i] = corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprint("n", i), Labels: labels}}
	}
	x, _ := New(nodes)
	some := func() Set { return x.All().Filter(func(int) bool { return random.IntN(4) == 0 }) }
	var columns []*valueIndex
	for _, key := range keys {
		columns = append(columns, x.label(key))
	}
	graph := relate(columns, x.list, func(int) int { return math.MaxInt })
	matrix := relate(columns, x.list, func(int) int { return -1 })
	graph.isolated, matrix.isolated = x.None(), x.None()
	if graph.matrix != nil || matrix.matrix == nil && len(nodes) > 0 {
		t.Fatal("not a graph and a matrix")
	}
	ofGraph, ofMatrix := graph.unrelated(), matrix.unrelated()
	for class := range graph.classes {
		if ofGraph(class) != ofMatrix(class) {
			t.Fatalf("class %d is unrelated: %v in the graph, %v in the matrix", class, ofGraph(class), ofMatrix(class))
		}
	}
	leaders, followers := some(), some()
	if g, m := graph.Followers(leaders), matrix.Followers(leaders); !g.Equal(m) {
		t.Fatalf("followers: %v, %v", g, m)
	}
	if g, m := graph.Leaders(followers), matrix.Leaders(followers); !g.Equal(m) {
		t.Fatalf("leaders: %v, %v", g, m)
	}
	of := make([]int32, len(nodes))
	for i := range of {
		of[i] = 2 + random.Int32N(5)
	}
	inGraph := slices.Repeat([]int32{9}, len(nodes))
	inMatrix := slices.Clone(inGraph)
	graph.Lower(inGraph, leaders, of, followers, least)
	if matrix.Lower(inMatrix, leaders, of, followers, least); !slices.Equal(inGraph, inMatrix) {
		t.Fatalf("Lower: %v, %v", inGraph, inMatrix)
	}
}
