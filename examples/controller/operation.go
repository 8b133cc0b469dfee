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

	"github.com/fluid-cloudnative/slipstream/dataflow"
	"github.com/fluid-cloudnative/slipstream/dataflow/manifest"
)

func kindOf(kind dataflow.Kind) schema.GroupVersionKind {
	return schema.GroupVersionKind{Group: "data.fluid.io", Version: "v1alpha1", Kind: string(kind)}
}

// objectOf returns an empty object of a kind of operation.
func objectOf(kind dataflow.Kind) *unstructured.Unstructured {
	u := &unstructured.Unstructured{}
	u.SetGroupVersionKind(kindOf(kind))
	return u
}

// listOf returns an empty list of objects of a kind of operation.
func listOf(kind dataflow.Kind) *unstructured.UnstructuredList {
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(kindOf(kind))
	return list
}

// read returns what slipstream makes of an object. The error holds every fault in it.
func read(u *unstructured.Unstructured) (manifest.Operation, error) {
	text, err := json.Marshal(u)
	if err != nil {
		return manifest.Operation{}, err
	}
	m, err := manifest.Read(u.GetName(), bytes.NewReader(text))
	if len(m.Operations) != 1 {
		return manifest.Operation{}, errors.Join(err, fmt.Errorf("%s %s is no operation", u.GetKind(), u.GetName()))
	}
	return m.Operations[0], err
}

// podOf returns the pod that runs an operation, or the i-th of several. Its name is
// always the same, so that it is never created twice.
func podOf(u *unstructured.Unstructured, op *manifest.Operation, a *corev1.Affinity, i int) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: op.Namespace, Name: podName(op.Ref, i),
			OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(u, kindOf(op.Kind))},
		},
		Spec: corev1.PodSpec{
			RestartPolicy: corev1.RestartPolicyNever,
			NodeSelector:  op.NodeSelector,
			Affinity:      a,
			Tolerations:   op.Tolerations,
			Containers:    []corev1.Container{{Name: "operation", Image: "busybox"}}, // what a real one runs depends on its kind
		},
	}
}

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
