package cases

import (
	"reflect"
	"strings"

	"github.com/fluid-cloudnative/slipstream/internal/growth"
	"github.com/fluid-cloudnative/slipstream/topology"
)

// A Dimension is a way in which an input can be large.
type Dimension struct {
	// Name is the path of a list, map or string in Input and what of it grows, or the name of
	// a shape.
	Name string

	// Path is the path in Input, or that of the part of Input that a shape is about.
	Path string

	// Group is the word of law G1 for the dimension: the column of a table.
	Group string

	// Slow is set if the cost is bounded only beyond a size that takes seconds: it is not for
	// go test.
	Slow bool

	// Pairs is set if the nodes are related by many keys that each has or lacks at random. To
	// find the subsets among n sets of many keys, no algorithm is known that is much faster
	// than comparing all pairs. Here there are fewer steps than pairs.
	Pairs bool

	// Make returns the input of the given size.
	Make func(n int) *Input
}

// Dimensions returns every dimension of Input.
func Dimensions() []Dimension {
	var all []Dimension
	walk(reflect.TypeFor[Input](), "", func(path string, isText bool) {
		styles := []style{different, equal, malformed}
		what, scale := "number of ", 1
		if isText {
			styles, what, scale = []style{different, malformed}, "length of ", 16
		}
		for _, s := range styles {
			all = append(all, Dimension{what + path + ", " + s.String(), path, group(path, isText, s), false, false, func(n int) *Input { return build(path, n*scale, s) }})
		}
	})
	return append(all, shapes()...)
}

// walk calls visit with the path of every list, map and string below a type.
func walk(t reflect.Type, path string, visit func(path string, isText bool)) {
	switch {
	case t == reflect.TypeFor[topology.LabelSet]():
		walk(reflect.TypeFor[map[string]string](), path, visit)
		return
	case isLeaf(t):
		return
	}
	switch t.Kind() {
	case reflect.Struct:
		for _, f := range fields(t) {
			walk(f.Type, strings.TrimPrefix(path+"."+f.Name, "."), visit)
		}
	case reflect.Pointer:
		walk(t.Elem(), path, visit)
	case reflect.Slice:
		visit(path, false)
		walk(t.Elem(), path+"[]", visit)
	case reflect.Map:
		visit(path, false)
		visit(path+"{}.key", true)
		walk(t.Elem(), path+"{}", visit)
	case reflect.String:
		visit(path, true)
	}
}

// group returns the group of the list, map or string at a path.
func group(path string, isText bool, s style) string {
	switch name := path[strings.LastIndexByte(path, '.')+1:]; {
	case isText:
		return "length of names"
	case s == malformed:
		return "faults"
	case path == "Used":
		return "pods" // what the pods of each node use
	case path == "Operations" || path == "Nodes" || path == "Problems":
		return strings.ToLower(path)
	case name == "NodeSelectorTerms" || name == "PreferredDuringSchedulingIgnoredDuringExecution" || name == "RequiredDuringSchedulingIgnoredDuringExecution":
		return "terms"
	case name == "MatchExpressions" || name == "MatchFields":
		return "expressions"
	case name == "Values":
		return "values"
	case name == "Tolerations" || name == "Taints" || name == "Annotations":
		return strings.ToLower(name)
	case strings.Contains(name, "Labels") || name == "NodeSelector":
		return "labels"
	case name == "Requires" || name == "Prefers" || name == "Exposes" || name == "Keys" || strings.HasSuffix(name, "LabelKeys"):
		return "keys"
	}
	return "others"
}

// Run measures a function on the inputs of a dimension, which are kept for other functions. It
// reports whether the cost grows too much.
func (f *Function) Run(n int, d Dimension, kept map[int]*Input) (s growth.Series, grows bool) {
	used := map[int]bool{}
	s = growth.Run(n, func(n int) func() {
		if kept[n] == nil || used[n] { // measured again: a forecast may have kept what it found out
			kept[n] = d.Make(n)
		}
		used[n] = true
		call := f.Prepare(kept[n])
		return func() { call() }
	})
	last := len(s.Sizes) - 1
	return s, s.Grows() && !(d.Pairs && s.Costs[last].Steps > 0 && s.Costs[last].Steps < uint64(s.Sizes[last])*uint64(s.Sizes[last]))
}
