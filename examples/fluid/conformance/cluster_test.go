package conformance_test

import (
	"context"
	"reflect"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// cluster is a client of a few objects in memory. It hands out what it holds without copying
// what that points to, as a cache may do, so that whoever keeps or changes it is found out.
// It panics at whatever else is asked of it.
type cluster struct {
	client.Client
	objects map[object]client.Object
}

type object struct {
	kind reflect.Type
	client.ObjectKey
}

func newCluster(objects ...client.Object) cluster {
	c := cluster{objects: make(map[object]client.Object, len(objects))}
	for _, o := range objects {
		c.put(o)
	}
	return c
}

func (c cluster) put(o client.Object) {
	c.objects[object{reflect.TypeOf(o), client.ObjectKeyFromObject(o)}] = o
}

func (c cluster) Get(_ context.Context, key client.ObjectKey, into client.Object, _ ...client.GetOption) error {
	kept, ok := c.objects[object{reflect.TypeOf(into), key}]
	if !ok {
		return apierrors.NewNotFound(schema.GroupResource{Resource: reflect.TypeOf(into).String()}, key.String())
	}
	reflect.ValueOf(into).Elem().Set(reflect.ValueOf(kept).Elem())
	return nil
}

// List lists pods, whatever the options: there is one Job at a time.
func (c cluster) List(_ context.Context, into client.ObjectList, _ ...client.ListOption) error {
	pods := into.(*corev1.PodList)
	for _, o := range c.objects {
		if pod, ok := o.(*corev1.Pod); ok {
			pods.Items = append(pods.Items, *pod)
		}
	}
	return nil
}

func (c cluster) Update(_ context.Context, o client.Object, _ ...client.UpdateOption) error {
	c.put(o)
	return nil
}

func (c cluster) Status() client.SubResourceWriter { return statusOf{cluster: c} }

type statusOf struct {
	client.SubResourceWriter
	cluster cluster
}

func (s statusOf) Update(_ context.Context, o client.Object, _ ...client.SubResourceUpdateOption) error {
	s.cluster.put(o)
	return nil
}
