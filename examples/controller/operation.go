package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fluid-cloudnative/slipstream/dataflow"
	"github.com/fluid-cloudnative/slipstream/dataflow/manifest"
)

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

// listOf returns an empty list of objects of a kind of operation.
func listOf(kind dataflow.Kind) *unstructured.UnstructuredList {
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(kindOf(kind))
	return list
}

func refOf(u *unstructured.Unstructured) dataflow.Ref {
	return dataflow.Ref{Kind: dataflow.Kind(u.GetKind()), Namespace: u.GetNamespace(), Name: u.GetName()}
}

func phaseOf(u *unstructured.Unstructured) dataflow.Phase {
	phase, _, _ := unstructured.NestedString(u.Object, "status", "phase")
	return dataflow.Phase(phase)
}

// read returns what slipstream makes of an object. The error holds every fault that the
// operation has by itself, whatever the others are: with one it must not run.
func read(u *unstructured.Unstructured) (manifest.Operation, error) {
	text, err := json.Marshal(u)
	if err != nil {
		return manifest.Operation{}, err
	}
	m, err := manifest.Read(u.GetName(), bytes.NewReader(text))
	if len(m.Operations) != 1 {
		return manifest.Operation{}, errors.Join(err, fmt.Errorf("%s is no operation", u.GetKind()))
	}
	op := m.Operations[0]
	var faults []error
	if err != nil {
		for _, err := range err.(interface{ Unwrap() []error }).Unwrap() {
			if fault := new(manifest.FieldError); errors.As(err, &fault) {
				err = fault.Fault // the line in the text above says nothing to anybody
			}
			faults = append(faults, err)
		}
	}
	for _, p := range dataflow.Check(op.Operation) {
		if p.Code == dataflow.Invalid || p.Code == dataflow.Contradiction {
			faults = append(faults, fmt.Errorf("%s: %s", p.Field, p.Message))
		}
	}
	return op, errors.Join(faults...)
}

// pod returns the i-th pod of an operation. Its name is always the same, so that it is
// never created twice.
func pod(u *unstructured.Unstructured, op *manifest.Operation, a *corev1.Affinity, i int) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: op.Namespace, Name: podName(op.Ref, i),
			Labels:          map[string]string{podLabel: string(op.Kind)},
			OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(u, kindOf(op.Kind))},
		},
		Spec: corev1.PodSpec{
			RestartPolicy: corev1.RestartPolicyNever,
			NodeSelector:  op.NodeSelector,
			Affinity:      a,
			Tolerations:   op.Tolerations,
			// What a real operation runs depends on its kind.
			Containers: []corev1.Container{{Name: "operation", Image: "busybox", Command: []string{"true"}}},
		},
	}
}

// podLabel is a label of all pods that the controller creates, so that it need not watch
// any others.
const podLabel = "slipstream.fluid.io/operation"

func podName(ref dataflow.Ref, i int) string {
	return fmt.Sprintf("%s-%s-%d", ref.Name, strings.ToLower(string(ref.Kind)), i)
}

// podsOf returns how many pods run an operation.
func podsOf(u *unstructured.Unstructured, op *manifest.Operation) int {
	parallelism, ok, _ := unstructured.NestedInt64(u.Object, "spec", "parallelism")
	if !op.Distributed || !ok {
		return 1
	}
	return int(parallelism)
}

// ownerOf returns the operation that a pod belongs to, and whether there is one.
func ownerOf(pod client.Object) (dataflow.Ref, bool) {
	owner := metav1.GetControllerOf(pod)
	if owner == nil || !strings.HasPrefix(owner.APIVersion, kindOf("").Group+"/") {
		return dataflow.Ref{}, false
	}
	return dataflow.Ref{Kind: dataflow.Kind(owner.Kind), Namespace: pod.GetNamespace(), Name: owner.Name}, true
}
