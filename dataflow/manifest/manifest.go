package manifest

import (
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/fluid-cloudnative/slipstream/dataflow"
	"github.com/fluid-cloudnative/slipstream/dataflow/manifest/internal/strict"
	"github.com/fluid-cloudnative/slipstream/internal/fielderror"
	"github.com/fluid-cloudnative/slipstream/internal/typo"
	"github.com/fluid-cloudnative/slipstream/topology"
)

// Operation is an operation as an object describes it.
type Operation struct {
	// Operation is what the dataflow reads. Its Ref has no namespace if the object names
	// none: set Ref.Namespace to a default before you call [dataflow.New].
	dataflow.Operation

	// GenerateName is metadata.generateName of an object without a name; Ref.Name is then
	// empty. No operation can run after such an operation, and two of them with the same
	// GenerateName are two operations. Set Ref.Name to a name that no operation has or
	// refers to before you call [dataflow.New].
	GenerateName string `json:"generateName,omitempty"`

	// Faulty is set if Decode returned an error: the operation may say something other
	// than was meant. Do not run it.
	Faulty bool `json:"faulty,omitempty"`

	// Observation is what the status says, and zero without a status. It never has a node.
	Observation dataflow.Observation `json:"observation"`

	// Released is set if the status says that Fluid has seen the predecessor complete
	// (status.waitingFor.operationComplete is false). Fluid does not look at it again, except
	// for what the operation inherits from it.
	Released bool `json:"released,omitempty"`

	// NotLookedAt holds the paths, sorted, of fields that are set, that can decide where
	// the pod runs, and that package dataflow does not look at: a scheduler
	// other than the default one, pod affinity and anti-affinity, topology spread
	// constraints, volumes that can be bound to a node, host ports and the host network,
	// the runtime class, resource claims, scheduling gates and groups, the priority, the
	// operating system, the claims from and to which a DataMigrate copies, labels on which
	// Fluid's webhook changes the pod, and those by which Fluid finds it, to record where
	// it ran. Of several volumes or host ports it holds the first. Nil if none is set.
	NotLookedAt []string `json:"notLookedAt,omitempty"`
}

// Decode reads an operation from an object, as unstructured.Unstructured.Object holds it: made
// of string, bool, int64, float64, nil, []any and map[string]any. Numbers may also be int, int32
// and json.Number. A field with the value nil counts as absent, as in an API server. The object
// is never written to, and the result shares no memory with it.
//
// If the object is not an operation, the result is nil and the error is a [*KindError]. That
// tells objects of other kinds, which can be skipped, from objects that were probably meant to
// be operations.
//
// Otherwise the result is not nil. The error holds every fault, in an order that is always the
// same: each is a [*Fault], with errors.As a *field.Error. After a hundred, an [*OmittedError]
// counts the rest. [dataflow.Faults] lists them. The result is then marked as Faulty, and has
// what is not faulty. If the kind is misspelled, it has the kind that was probably meant.
func Decode(object map[string]any) (*Operation, error) {
	root := strict.Read(object)
	kind, err := kindOf(root)
	if err != nil {
		return nil, err
	}
	var d decoder
	d.op.Ref.Kind = kind
	root.Explain = explain(kind)
	metadata := d.readNames(root)
	podMetadata := d.readSpec(root.Get("spec"))
	d.readExposes(metadata, podMetadata)
	d.readStatus(root.Get("status"))
	slices.Sort(d.op.NotLookedAt)
	d.op.Faulty = root.Count() > 0
	return &d.op, join(root.Reader)
}

// decoder holds the operation that is decoded.
type decoder struct{ op Operation }

// The API group of operations, and the only version that Fluid's definitions serve.
const (
	group   = "data.fluid.io"
	version = "v1alpha1"
)

// kindOf returns the kind of the operation that the object is or was meant to be, or a KindError.
func kindOf(root strict.Value) (dataflow.Kind, error) {
	apiVersion, name, metadata := root.Get("apiVersion"), root.Get("kind"), root.Get("metadata")
	of, release, versioned := strings.Cut(text(apiVersion), "/")
	isFluids := versioned && of == group
	kind := dataflow.Kind(text(name))
	single := strings.TrimSuffix(string(kind), "List")
	other := &KindError{text(apiVersion), dataflow.Ref{Kind: kind, Namespace: text(metadata.Get("namespace")), Name: text(metadata.Get("name"))}, nil}
	switch {
	case slices.Contains(dataflow.Kinds(), kind):
		switch {
		case text(apiVersion) == "":
			apiVersion.Text() // if it is of another type
			apiVersion.Require(group + "/" + version)
		case versioned && of != "" && !resemblesGroup(of):
			return "", other
		case !isFluids || release != version:
			apiVersion.Reject(dataflow.CodeInvalid, field.NotSupported(nil, text(apiVersion), []string{group + "/" + version}))
		}
		return kind, nil
	case kind == "":
		if !resemblesGroup(of) && !resemblesOperation(root) {
			return "", other
		}
		name.Text() // if it is of another type
		name.Require(fmt.Sprintf("one of %v", dataflow.Kinds()))
	case !isFluids || slices.Contains(otherKinds, single):
		return "", other
	case slices.Contains(dataflow.Kinds(), dataflow.Kind(single)):
		name.Invalid(text(name), "a list is not an operation; decode each of its items")
	default:
		name.Reject(dataflow.CodeInvalid, fielderror.Unsupported(nil, kind, dataflow.Kinds()...))
		if meant, ok := typo.Nearest(kind, dataflow.Kinds()...); ok {
			return meant, nil
		}
	}
	other.Fault = (*Fault)(root.Faults[0])
	return "", other
}

// text returns a string, and "" for every other value.
func text(v strict.Value) string {
	s, _ := v.Raw.(string)
	return s
}

// resemblesGroup reports whether an API group was probably meant to be Fluid's.
func resemblesGroup(of string) bool {
	_, similar := typo.Nearest(of, group)
	return similar || strings.Contains(strings.ToLower(of), "fluid")
}

// resemblesOperation reports whether an object without a kind has what only operations have.
func resemblesOperation(root strict.Value) bool {
	spec, metadata := root.Get("spec"), root.Get("metadata")
	annotations := metadata.Get("annotations")
	return spec.Get("runAfter").Raw != nil || annotations.Entry(topology.LabelsAnnotation).Raw != nil
}
