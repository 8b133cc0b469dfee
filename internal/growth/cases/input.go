// Package cases holds what law G1 is tested with: every exported function, and every dimension of
// what it takes.
//
// The dimensions are found by reflection over [Input]: the length of every list, the size of every
// map and the length of every string, however deep. So a new field of an operation is a new
// dimension. Shapes are the dimensions that types do not show, such as the depth of a chain.
package cases

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fluid-cloudnative/slipstream/affinity"
	"github.com/fluid-cloudnative/slipstream/dataflow"
	"github.com/fluid-cloudnative/slipstream/dataflow/manifest"
	"github.com/fluid-cloudnative/slipstream/topology"
)

// Input holds what the exported functions take, and the values whose methods they are. The
// affinity, the node selector and the strategy of package affinity are those of an operation.
type Input struct {
	Operations []dataflow.Operation
	Seen       []dataflow.Observation // of the operations, in their order
	Nodes      []corev1.Node
	Used       map[string]corev1.ResourceList
	Options    dataflow.ForecastOptions
	Problems   []dataflow.Problem

	Labels      map[string]string // of a node
	Keys        []string          // of labels
	List        string            // of label keys, separated by commas
	Annotations map[string]string // of a Job
	Recorded    *corev1.NodeAffinity
	Object      map[string]any // of Fluid's API; nil: that of the last operation

	Conflict      affinity.ConflictError
	Contradiction dataflow.ContradictionError
	Cycle         dataflow.CycleError
	Rejected      dataflow.OperationError
	Stranded      dataflow.StrandedError
	Unknown       dataflow.UnknownOperationError
	Fault         manifest.Fault
	Kind          manifest.KindError
	Omitted       manifest.OmittedError

	flow     func() *dataflow.Flow     // of the operations; nil if New rejects them
	forecast func() *dataflow.Forecast // of the flow that runs; nil if there is none
}

// read names the fields of Kubernetes' types that the module reads, where it does not read all.
var read = map[reflect.Type][]string{
	reflect.TypeFor[corev1.Node]():       {"ObjectMeta", "Spec", "Status"},
	reflect.TypeFor[metav1.ObjectMeta](): {"Name", "Labels"},
	reflect.TypeFor[corev1.NodeSpec]():   {"Taints"},
	reflect.TypeFor[corev1.NodeStatus](): {"Allocatable"},

	// Not a type of Kubernetes. The observations are those of Seen.
	reflect.TypeFor[dataflow.ForecastOptions](): {"ExtendedResourceToleration"},
	reflect.TypeFor[Input]():                    nil, // all
}

// fields returns the fields of a struct that are filled.
func fields(t reflect.Type) []reflect.StructField {
	var filled []reflect.StructField
	only, restricted := read[t]
	for i := range t.NumField() {
		f := t.Field(i)
		if f.IsExported() && (!restricted || only == nil || slices.Contains(only, f.Name)) {
			filled = append(filled, f)
		}
	}
	return filled
}

// isLeaf reports whether values of a type have no dimensions: it is filled as a whole, or not at
// all.
func isLeaf(t reflect.Type) bool {
	return t == reflect.TypeFor[resource.Quantity]() || t.Kind() == reflect.Interface || t.Kind() == reflect.Func || t == reflect.TypeFor[map[string]any]()
}

// A style says what the items of a list or map are, or the characters of a string.
type style int

const (
	different style = iota // valid, each another one; of a string, letters
	equal                  // all the same; in a map, equal values
	malformed              // each malformed in another way than its neighbours; of a string, characters that are not printable
)

func (s style) String() string { return [...]string{"different", "equal", "malformed"}[s] }

// builder fills an Input. The value at one path is large.
type builder struct {
	path  string
	n     int
	style style
	wrong bool // within an item that is malformed
}

// build returns an input that is large in one dimension.
func build(path string, n int, s style) *Input {
	in := &Input{}
	b := builder{path: path, n: n, style: s}
	b.fill(reflect.ValueOf(in).Elem(), "", 0)
	b.complete(in)
	in.flow, in.forecast = sync.OnceValue(in.newFlow), sync.OnceValue(in.newForecast)
	return in
}

// grows reports whether the large value is at a path or below.
func (b *builder) grows(path string) bool { return within(b.path, path) }

// within reports whether a path is another one, or below it.
func within(path, outer string) bool {
	rest, ok := strings.CutPrefix(path, outer)
	return ok && (rest == "" || strings.ContainsRune(".[{", rune(rest[0])))
}

// fill fills a value and what is in it. item is the index of the innermost list item.
func (b *builder) fill(v reflect.Value, path string, item int) {
	switch {
	case v.Type() == reflect.TypeFor[topology.LabelSet]():
		labels := map[string]string{}
		b.fill(reflect.ValueOf(&labels).Elem(), path, item)
		v.Set(reflect.ValueOf(topology.NewLabelSet(labels)))
		return
	case v.Type() == reflect.TypeFor[resource.Quantity]():
		v.Set(reflect.ValueOf(*resource.NewQuantity(int64(1+item), resource.DecimalSI)))
		return
	case isLeaf(v.Type()):
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for _, f := range fields(v.Type()) {
			at := strings.TrimPrefix(path+"."+f.Name, ".")
			b.fill(v.FieldByIndex(f.Index), at, item)
		}
	case reflect.Pointer:
		if optional := strings.HasSuffix(path, "PodAffinity") || strings.HasSuffix(path, "PodAntiAffinity"); optional && !b.grows(path) || v.Type().Elem().Kind() != reflect.Struct {
			return
		}
		v.Set(reflect.New(v.Type().Elem()))
		b.fill(v.Elem(), path, item)
	case reflect.Slice:
		n := b.length(path)
		v.Set(reflect.MakeSlice(v.Type(), n, n))
		for i := range n {
			b.item(path, item+i, func(item int) { b.fill(v.Index(i), path+"[]", item) })
		}
	case reflect.Map:
		n := b.length(path)
		v.Set(reflect.MakeMapWithSize(v.Type(), n))
		for i := range n {
			key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
			key.SetString(b.text(path+"{}.key", item+i))
			b.item(path, item+i, func(item int) {
				if b.wrong {
					key.SetString(b.text(path+"{}.key", item))
				}
				b.fill(value, path+"{}", item)
			})
			v.SetMapIndex(key, value)
		}
	case reflect.String:
		v.SetString(b.text(path, item))
	case reflect.Int, reflect.Int32, reflect.Int64:
		v.SetInt(1)
	}
}

// item calls fill with the index of an item, in the style of the builder if the list is large.
func (b *builder) item(path string, item int, fill func(item int)) {
	if b.path != path {
		fill(item)
		return
	}
	if b.style == equal {
		item = 0
	}
	b.wrong = b.style == malformed
	fill(item)
	b.wrong = false
}

// length returns the length of a list or map.
func (b *builder) length(path string) int {
	switch {
	case b.path == path:
		return b.n
	case b.grows(path):
		return 1
	case path == "Operations", path == "Nodes":
		return 4
	case strings.HasSuffix(path, "MatchFields"):
		return 0
	}
	return 1
}

// text returns the text of a string or the key of a map.
func (b *builder) text(path string, item int) string {
	switch name := path[strings.LastIndexByte(path, '.')+1:]; {
	case b.path == path && b.style == malformed:
		return strings.Repeat("\x1b\u202e\n\xff\u2028", b.n/9+1)
	case b.path == path:
		return strings.Repeat("a", b.n)
	case b.wrong:
		return fmt.Sprint("\n- ", item)
	case name == "Operator" && strings.Contains(path, "Tolerations"):
		return string(corev1.TolerationOpEqual)
	case name == "Operator":
		return string(corev1.NodeSelectorOpIn)
	case name == "Effect":
		return string(corev1.TaintEffectNoSchedule)
	case name == "Key" && strings.Contains(path, "MatchFields"):
		return metav1.ObjectNameField
	case name == "NodeName" && !b.grows(path):
		return ""
	case path == "Annotations{}.key":
		return topology.RecordedPrefix + fmt.Sprint("x", item)
	case name == "key" && (strings.HasSuffix(path, "Requests{}.key") || strings.HasSuffix(path, "Allocatable{}.key") || strings.HasPrefix(path, "Used{}{}")):
		return fmt.Sprint("example.com/x", item) // an extended resource
	case name == "Type" && strings.HasSuffix(path, "Err.Type"):
		return "FieldValueInvalid"
	case name == "Phase":
		return string(dataflow.Pending)
	}
	return fmt.Sprint("x", item)
}

// complete connects the parts of an input: operations in a chain, with labels that nodes have.
func (b *builder) complete(in *Input) {
	kinds := dataflow.Kinds()
	for i := range in.Operations {
		op := &in.Operations[i]
		if !b.grows("Operations[].Ref.Kind") {
			op.Ref.Kind = kinds[i%len(kinds)]
		}
		switch {
		case b.grows("Operations[].RunAfter"):
		case i == 0:
			op.RunAfter = nil
			continue
		}
		if !b.grows("Operations[].RunAfter.Ref") && i > 0 {
			op.RunAfter.Ref = in.Operations[i-1].Ref
		}
		switch {
		case b.grows("Operations[].RunAfter.DependOn"):
		case i%4 == 3:
			op.RunAfter.DependOn = &in.Operations[0].Ref
		default:
			op.RunAfter.DependOn = nil
		}
		switch {
		case b.grows("Operations[].RunAfter.Strategy.Policy"):
		case i%4 == 2 || b.grows("Operations[].RunAfter.Strategy.Prefers"):
			op.RunAfter.Strategy.Policy = affinity.Prefer
		default:
			op.RunAfter.Strategy.Policy = affinity.Require
		}
	}
	for i := range in.Nodes {
		node := &in.Nodes[i]
		if !b.grows("Nodes[].ObjectMeta.Labels") {
			node.Labels = map[string]string{topology.Hostname: node.Name, "x0": "x0"}
		}
	}
	if strings.HasPrefix(b.path, "Operations") && b.style == different {
		for i := range b.n {
			in.Nodes[0].Labels[fmt.Sprint("x", i)] = fmt.Sprint("x", i)
		}
	}
	if !b.grows("Seen") {
		in.Seen[0].Phase = dataflow.Complete
	}
	in.Annotations[topology.InjectAnnotation] = "true"
}
