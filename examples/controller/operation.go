package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/fluid-cloudnative/slipstream/dataflow"
	"github.com/fluid-cloudnative/slipstream/dataflow/manifest"
)

// operation is an object of one of the four kinds, decoded once for each version that a
// watch delivers. It is immutable.
type operation struct {
	manifest.Operation

	object *unstructured.Unstructured // shared with the cache: not to be written to
	pods   int                        // how many pods run it
	fault  error                      // what is wrong with its spec; nil if nothing is
}

// decode returns the operation that an object describes.
func decode(u *unstructured.Unstructured) *operation {
	decoded, err := manifest.Decode(u.Object)
	if decoded == nil { // not one of the four kinds
		decoded = &manifest.Operation{Operation: dataflow.Operation{Ref: refOf(u)}}
	}
	op := &operation{*decoded, u, 1, nil}
	if parallelism, ok, _ := unstructured.NestedInt64(u.Object, "spec", "parallelism"); ok && op.Distributed {
		op.pods = int(parallelism)
	}
	faults := dataflow.Faults(err)
	for _, p := range dataflow.Check(op.Operation.Operation) {
		if p.Code == dataflow.CodeInvalid || p.Code == dataflow.CodeContradiction {
			faults = append(faults, fmt.Errorf("%s: %s", p.Field, p.Message))
		}
	}
	op.fault = errors.Join(faults...)
	return op
}

func (op *operation) uid() types.UID { return op.object.GetUID() }

func (op *operation) deleting() bool { return op.object.GetDeletionTimestamp() != nil }

func (op *operation) finished() bool {
	return op.Observation.Phase == dataflow.Complete || op.Observation.Phase == dataflow.Failed
}

// followersAnnotation lists the namespaces, separated by commas, whose operations may run
// after an operation and inherit from it. "*" allows all namespaces. The namespace of the
// operation itself needs no permission.
const followersAnnotation = "slipstream.fluid.io/allow-followers-from"

// allows reports whether operations of a namespace may run after the operation, and inherit
// from it.
func (op *operation) allows(namespace string) bool {
	return slices.ContainsFunc(strings.Split(op.object.GetAnnotations()[followersAnnotation], ","), func(s string) bool {
		s = strings.TrimSpace(s)
		return s == "*" || s == namespace
	})
}

// names returns the operations that the operation runs after or inherits from.
func (op *operation) names() []dataflow.Ref {
	var refs []dataflow.Ref
	if predecessor, ok := op.Predecessor(); ok {
		refs = append(refs, predecessor)
	}
	if source, ok := op.Source(); ok && !slices.Contains(refs, source) {
		refs = append(refs, source)
	}
	return refs
}

func kindOf(kind dataflow.Kind) schema.GroupVersionKind {
	return schema.GroupVersionKind{Group: "data.fluid.io", Version: "v1alpha1", Kind: string(kind)}
}

// objectOf returns an object that has only a kind and a name.
func objectOf(ref dataflow.Ref) *unstructured.Unstructured {
	u := &unstructured.Unstructured{}
	u.SetGroupVersionKind(kindOf(ref.Kind))
	u.SetNamespace(ref.Namespace)
	u.SetName(ref.Name)
	return u
}

func refOf(u *unstructured.Unstructured) dataflow.Ref {
	return dataflow.Ref{Kind: dataflow.Kind(u.GetKind()), Namespace: u.GetNamespace(), Name: u.GetName()}
}

// ownerOf returns the operation that a pod belongs to. ok is false if there is none.
func ownerOf(pod client.Object) (ref dataflow.Ref, ok bool) {
	owner := metav1.GetControllerOf(pod)
	if owner == nil || !strings.HasPrefix(owner.APIVersion, kindOf("").Group+"/") {
		return dataflow.Ref{}, false
	}
	return dataflow.Ref{Kind: dataflow.Kind(owner.Kind), Namespace: pod.GetNamespace(), Name: owner.Name}, true
}

// requestFor returns the request to reconcile the flow of an operation. The name of a request
// is the kind and the name of the operation, separated by a slash, as the four kinds share
// one queue.
func requestFor(ref dataflow.Ref) reconcile.Request {
	return reconcile.Request{NamespacedName: types.NamespacedName{Namespace: ref.Namespace, Name: string(ref.Kind) + "/" + ref.Name}}
}

func refOfRequest(req reconcile.Request) dataflow.Ref {
	kind, name, _ := strings.Cut(req.Name, "/")
	return dataflow.Ref{Kind: dataflow.Kind(kind), Namespace: req.Namespace, Name: name}
}
