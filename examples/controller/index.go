package main

import (
	"cmp"
	"maps"
	"reflect"
	"slices"
	"sync"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"

	"github.com/fluid-cloudnative/slipstream/dataflow"
)

// index holds what the watches have delivered: operations and their pods, linked to flows.
//
// A flow is a tree: operations that run after each other. Its root is the operation that runs
// after none, after one that does not exist, or after one that it may not follow. In a cycle
// the root is the operation whose reference sorts first. One flow is one request of the work
// queue: a flow is looked at as a whole, once for all events that came meanwhile, and by one
// worker at a time.
type index struct {
	// AnyNamespace allows operations to follow those of any other namespace.
	anyNamespace bool

	mu         sync.RWMutex
	operations map[dataflow.Ref]*operation
	dependents map[dataflow.Ref]map[dataflow.Ref]bool  // the operations that name one
	pods       map[dataflow.Ref]map[string]*corev1.Pod // by owner and name
}

func newIndex(anyNamespace bool) *index {
	return &index{
		anyNamespace: anyNamespace,
		operations:   map[dataflow.Ref]*operation{},
		dependents:   map[dataflow.Ref]map[dataflow.Ref]bool{},
		pods:         map[dataflow.Ref]map[string]*corev1.Pod{},
	}
}

// setOperation stores the newest version of an operation, nil if it does not exist any more.
// It returns the roots of the flows that have to be looked at: none if nothing has changed
// that matters.
func (x *index) setOperation(ref dataflow.Ref, op *operation) []dataflow.Ref {
	x.mu.Lock()
	defer x.mu.Unlock()
	old := x.operations[ref]
	if sameToFlow(old, op) {
		if op != nil {
			x.operations[ref] = op
		}
		return nil
	}
	roots := map[dataflow.Ref]bool{}
	x.addRoots(roots, ref)
	if old != nil {
		for _, named := range old.names() {
			if delete(x.dependents[named], ref); len(x.dependents[named]) == 0 {
				delete(x.dependents, named)
			}
		}
	}
	if delete(x.operations, ref); op != nil {
		x.operations[ref] = op
		for _, named := range op.names() {
			if x.dependents[named] == nil {
				x.dependents[named] = map[dataflow.Ref]bool{}
			}
			x.dependents[named][ref] = true
		}
	}
	x.addRoots(roots, ref)
	return slices.Collect(maps.Keys(roots))
}

// sameToFlow reports whether two versions of an operation are the same to its flow. Nil is an
// operation that does not exist. Labels and conditions, for example, do not matter.
func sameToFlow(a, b *operation) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.uid() == b.uid() && a.deleting() == b.deleting() &&
		reflect.DeepEqual(a.Observation, b.Observation) && slices.Equal(a.Exposes, b.Exposes) &&
		a.object.GetAnnotations()[followersAnnotation] == b.object.GetAnnotations()[followersAnnotation] &&
		equality.Semantic.DeepEqual(a.object.Object["spec"], b.object.Object["spec"]) && (a.fault == nil) == (b.fault == nil)
}

// setPod stores the newest version of a pod of an operation, nil if it does not exist any
// more. It returns the root of its flow, and whether that has to be looked at.
func (x *index) setPod(owner dataflow.Ref, name string, pod *corev1.Pod) (root dataflow.Ref, changed bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	changed = !sameToOperation(x.pods[owner][name], pod)
	switch {
	case pod != nil && x.pods[owner] == nil:
		x.pods[owner] = map[string]*corev1.Pod{name: pod}
	case pod != nil:
		x.pods[owner][name] = pod
	default:
		if delete(x.pods[owner], name); len(x.pods[owner]) == 0 {
			delete(x.pods, owner)
		}
	}
	return x.root(owner, map[dataflow.Ref]dataflow.Ref{}), changed
}

// sameToOperation reports whether two versions of a pod are the same to its operation. Nil is
// a pod that does not exist.
func sameToOperation(a, b *corev1.Pod) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.UID == b.UID && a.Status.Phase == b.Status.Phase && a.Spec.NodeName == b.Spec.NodeName &&
		a.DeletionTimestamp.Equal(b.DeletionTimestamp) && isLost(a) == isLost(b) && scheduling(a) == scheduling(b)
}

// addRoots adds the roots of the flows of an operation, and of those that name it and may.
func (x *index) addRoots(roots map[dataflow.Ref]bool, ref dataflow.Ref) {
	known := map[dataflow.Ref]dataflow.Ref{}
	roots[x.root(ref, known)] = true
	for dependent := range x.dependents[ref] {
		if x.mayFollow(x.operations[dependent], ref) {
			roots[x.root(dependent, known)] = true
		}
	}
}

// root returns the root of the flow of an operation, and notes it for every operation on the
// way. The root of an operation that does not exist is itself.
func (x *index) root(ref dataflow.Ref, known map[dataflow.Ref]dataflow.Ref) dataflow.Ref {
	var path []dataflow.Ref
	onPath := map[dataflow.Ref]int{}
	root := ref
	for {
		if r, ok := known[root]; ok {
			root = r
			break
		}
		if start, again := onPath[root]; again {
			root = slices.MinFunc(path[start:], compareRefs)
			break
		}
		onPath[root] = len(path)
		path = append(path, root)
		op := x.operations[root]
		if op == nil {
			break
		}
		predecessor, ok := op.Predecessor()
		if !ok || x.operations[predecessor] == nil || !x.mayFollow(op, predecessor) {
			break
		}
		root = predecessor
	}
	for _, r := range path {
		known[r] = root
	}
	return root
}

// mayFollow reports whether an operation may run after another one, and inherit from it. If
// that one does not exist, it cannot allow followers from other namespaces.
func (x *index) mayFollow(op *operation, other dataflow.Ref) bool {
	if x.anyNamespace || other.Namespace == op.Ref.Namespace {
		return true
	}
	named := x.operations[other]
	return named != nil && named.allows(op.Ref.Namespace)
}

// snapshot is a flow as the watches have seen it.
type snapshot struct {
	operations []*operation // the root first, each after its predecessor

	// named are the operations that one of the flow names, and that are not in the flow.
	named map[dataflow.Ref]*operation

	pods    map[dataflow.Ref][]*corev1.Pod // sorted by name
	refused map[dataflow.Ref]dataflow.Ref  // by the operation that must not follow it
}

// flow returns the flow with a root. If the operation does not exist, the flow holds only
// pods that are left of it. It is nil if the operation is not a root any more: the event that
// changed that has queued the right one.
func (x *index) flow(root dataflow.Ref) *snapshot {
	x.mu.RLock()
	defer x.mu.RUnlock()
	if x.root(root, map[dataflow.Ref]dataflow.Ref{}) != root {
		return nil
	}
	s := &snapshot{named: map[dataflow.Ref]*operation{}, pods: map[dataflow.Ref][]*corev1.Pod{}, refused: map[dataflow.Ref]dataflow.Ref{}}
	s.addPods(root, x.pods[root])
	in := map[dataflow.Ref]bool{root: true}
	if op := x.operations[root]; op != nil {
		s.operations = append(s.operations, op)
	}
	for i := 0; i < len(s.operations); i++ {
		op := s.operations[i]
		if i > 0 {
			s.addPods(op.Ref, x.pods[op.Ref])
		}
		for _, ref := range slices.SortedFunc(maps.Keys(x.dependents[op.Ref]), compareRefs) {
			follower := x.operations[ref]
			predecessor, _ := follower.Predecessor()
			if predecessor == op.Ref && !in[ref] && x.mayFollow(follower, op.Ref) {
				in[ref] = true
				s.operations = append(s.operations, follower)
			}
		}
	}
	for _, op := range s.operations {
		for _, ref := range op.names() {
			if !x.mayFollow(op, ref) {
				s.refused[op.Ref] = ref
			} else if other := x.operations[ref]; other != nil && !in[ref] {
				s.named[ref] = other
			}
		}
	}
	return s
}

func (s *snapshot) addPods(ref dataflow.Ref, pods map[string]*corev1.Pod) {
	if len(pods) > 0 {
		s.pods[ref] = slices.SortedFunc(maps.Values(pods), func(a, b *corev1.Pod) int { return cmp.Compare(a.Name, b.Name) })
	}
}

func compareRefs(a, b dataflow.Ref) int {
	return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name))
}
