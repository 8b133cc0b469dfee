package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/fluid-cloudnative/slipstream/dataflow"
	"github.com/fluid-cloudnative/slipstream/topology"
)

// An operation follows one of another namespace only with the permission of that one, or of
// who runs the controller.
func TestFollowingAcrossNamespaces(t *testing.T) {
	foreign := dataflow.Ref{Kind: dataflow.DataLoad, Namespace: "theirs", Name: "b"}
	follower := func(runAfter string) string {
		return strings.Replace(object("DataLoad", "b", "runAfter: {"+runAfter+"}"), "namespace: ns", "namespace: theirs", 1)
	}
	owned := func(annotations string) string {
		return strings.Replace(object("DataLoad", "a"), "name: a", "name: a, annotations: {"+annotations+"}", 1)
	}
	const direct = "kind: DataLoad, namespace: ns, name: a, affinityStrategy: {policy: Require}"
	for _, tt := range []struct {
		name         string
		a            string // "" if it does not exist
		runAfter     string
		anyNamespace bool
		allowed      bool
	}{
		{"without permission", owned(""), direct, false, false},
		{"with the permission of another namespace", owned(followersAnnotation + ": 'others, ns'"), direct, false, false},
		{"with permission", owned(followersAnnotation + ": 'others, theirs'"), direct, false, true},
		{"with the permission of all", owned(followersAnnotation + ": '*'"), direct, false, true},
		{"with the switch", owned(""), direct, true, true},
		{"of one that does not exist", "", direct, false, false},
		{
			"by dependOn alone", owned(""),
			"kind: DataLoad, name: first, affinityStrategy: {policy: Require, dependOn: {kind: DataLoad, namespace: ns, name: a}}", false, false,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, objects(nodes())...)
			w.options.AnyNamespace = tt.anyNamespace
			w.restart()
			w.apply(follower(tt.runAfter), strings.Replace(object("DataLoad", "first"), "namespace: ns", "namespace: theirs", 1))
			if tt.a != "" {
				w.apply(tt.a)
			}
			w.complete(nodes())
			phase, stalled := phaseOf(w.operation(foreign)), w.condition(foreign, conditionStalled)
			if allowed := phase == dataflow.Complete; allowed != tt.allowed {
				t.Fatalf("it is %q, %s %s", phase, stalled.Reason, stalled.Message)
			}
			if tt.allowed {
				return
			}
			// It cannot be told from the message whether there is such an operation.
			want := "DataLoad ns/a does not exist, or its annotation " + followersAnnotation + " does not allow namespace theirs"
			if stalled.Reason != reasonNotAllowed || stalled.Message != want {
				t.Errorf("%s: %s", stalled.Reason, stalled.Message)
			}
			// Permission that comes later counts.
			if tt.a != "" {
				w.change(load("a"), func(u *unstructured.Unstructured) {
					u.SetAnnotations(map[string]string{followersAnnotation: "theirs"})
				})
			} else {
				w.apply(owned(followersAnnotation + ": theirs"))
			}
			w.complete(nodes())
			phase = phaseOf(w.operation(foreign))
			if dependsOnStranger := strings.Contains(tt.runAfter, "dependOn"); phase != dataflow.Complete && !dependsOnStranger {
				t.Errorf("with permission it is %q, events %q", phase, w.events)
			}
		})
	}
}

// Permission is read again before a pod is created.
func TestPermissionThatWasWithdrawn(t *testing.T) {
	w := newWorld(t, objects(nodes())...)
	w.apply(strings.Replace(object("DataLoad", "a"), "name: a", "name: a, annotations: {"+followersAnnotation+": theirs}", 1))
	w.complete(nodes())
	w.change(load("a"), func(u *unstructured.Unstructured) { u.SetAnnotations(nil) })
	w.apply(strings.Replace(object("DataLoad", "b", "runAfter: {kind: DataLoad, namespace: ns, name: a}"), "namespace: ns", "namespace: theirs", 1))
	behind := w.r.index.operations[load("a")]
	w.settle()
	w.r.index.setOperation(load("a"), behind)
	if _, err := w.r.Reconcile(t.Context(), requestFor(load("a"))); err != nil {
		t.Fatal(err)
	}
	if pods := w.podsThere(); len(pods) != 1 {
		t.Errorf("%d pods", len(pods))
	}
}

// What one tenant's operations say does not reach another one's messages.
func TestMessagesNameNobodyElses(t *testing.T) {
	w := newWorld(t, objects(nodes())...)
	w.options.AnyNamespace = true
	w.restart()
	in := func(namespace, manifest string) string {
		return strings.Replace(manifest, "namespace: ns", "namespace: "+namespace, 1)
	}
	w.apply(
		object("DataLoad", "secret-root"),
		object("DataLoad", "shared", runsAfter("DataLoad", "secret-root", "")),
		in("theirs", object("DataLoad", "b", "runAfter: {kind: DataLoad, namespace: ns, name: shared}")),
		object("DataLoad", "invalid", "nodeSelector: {'not a key': secret}"),
		in("theirs", object("DataLoad", "c", "runAfter: {kind: DataLoad, namespace: ns, name: invalid}")),
	)
	w.settle()
	w.set(w.pod("secret-root-dataload-0"), corev1.PodFailed)
	w.settle()
	theirs := slices.DeleteFunc(slices.Clone(w.events), func(e string) bool { return !strings.Contains(e, "theirs/") })
	slices.Sort(theirs)
	if want := []string{
		"Blocked DataLoad theirs/b: an operation of another namespace failed",
		"Waiting DataLoad theirs/c: for DataLoad ns/invalid, which cannot run",
	}; !slices.Equal(theirs, want) {
		t.Errorf("events %q", theirs)
	}
}

// Operations expose the labels that the controller allows.
func TestExposedLabelsAreAllowed(t *testing.T) {
	for _, allowed := range [][]string{nil, {"gpu"}} {
		w := newWorld(t, objects(nodes())...)
		w.options.Expose = allowed
		w.restart()
		w.apply(strings.Replace(object("DataLoad", "a"), "name: a", "name: a, annotations: {"+topology.LabelsAnnotation+": gpu}", 1))
		w.complete(nodes())
		labels := decode(w.operation(load("a"))).Observation.Labels
		if _, ok := labels.Get("gpu"); ok != (allowed != nil) {
			t.Errorf("with %q it recorded %s", allowed, labels)
		}
		if _, ok := labels.Get(topology.Hostname); !ok {
			t.Errorf("with %q it recorded %s", allowed, labels)
		}
	}
}

// A pod that the API server refuses is reported, and tried again as far as that may help.
func TestPodsThatCannotBeCreated(t *testing.T) {
	pods := schema.GroupResource{Resource: "pods"}
	terminating := apierrors.NewForbidden(pods, "p", errors.New("the namespace is terminating"))
	terminating.ErrStatus.Details.Causes = []metav1.StatusCause{{Type: corev1.NamespaceTerminatingCause}}
	for _, tt := range []struct {
		name   string
		err    error
		events int
		again  bool
	}{
		{"a quota", apierrors.NewForbidden(pods, "p", errors.New("exceeded quota")), 1, true},
		{"an invalid pod", apierrors.NewInvalid(schema.GroupKind{Kind: "Pod"}, "p", nil), 1, false},
		{"a namespace that terminates", terminating, 0, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, objects(nodes())...)
			w.apply(object("DataLoad", "a"))
			w.refuses = tt.err
			for range 3 {
				w.deliverAll()
				w.enqueue(requestFor(load("a")))
				w.reconcile(0)
			}
			if len(w.events) != tt.events || len(w.queue) > 0 != tt.again {
				t.Errorf("events %q, to be tried again: %v", w.events, w.queue)
			}
			if stalled := w.condition(load("a"), conditionStalled); (stalled.Reason == reasonFailedCreate) != (tt.events > 0) {
				t.Errorf("stalled: %s %s", stalled.Reason, stalled.Message)
			}
		})
	}
}

// What a spec says about its pods reaches them.
func TestPods(t *testing.T) {
	const podMetadata = "podMetadata: {labels: {team: blue, " + podLabel + ": mine}, annotations: {note: hello}}"
	const resources = "resources: {requests: {cpu: 2, memory: 1Gi}, limits: {memory: 2Gi}}"
	for _, tt := range []struct {
		kind dataflow.Kind
		spec []string
	}{
		{dataflow.DataLoad, []string{"schedulerName: other", resources, podMetadata}},
		{dataflow.DataMigrate, []string{"schedulerName: other", resources, podMetadata}},
		{dataflow.DataProcess, []string{"processor: {script: {source: 'true', " + resources + "}, " + podMetadata + "}"}},
		{dataflow.DataProcess, []string{"processor: {job: {podSpec: {nodeName: node-1, schedulerName: other, containers: [{name: a, image: b, " + resources + "}]}}, " + podMetadata + "}"}},
		{dataflow.DataBackup, nil},
	} {
		w := newWorld(t, objects(nodes())...)
		w.apply(object(tt.kind, "a", tt.spec...))
		w.settle()
		pods := w.podsThere()
		if len(pods) != 1 {
			t.Errorf("%s: %q", tt.kind, w.events)
			continue
		}
		pod := pods[0]
		got := fmt.Sprint(pod.Spec.SchedulerName, "|", pod.Spec.NodeName, "|", pod.Labels["team"], "|", pod.Annotations["note"], "|",
			pod.Spec.Containers[0].Resources.Requests.Cpu(), "|", pod.Spec.Containers[0].Resources.Requests.Memory())
		want := "other||blue|hello|2|1Gi"
		switch spec := fmt.Sprint(tt.spec); {
		case tt.spec == nil:
			want = "||||0|0"
		case strings.Contains(spec, "podSpec"):
			want = strings.Replace(want, "||", "|node-1|", 1)
		case strings.Contains(spec, "script"):
			want = strings.TrimPrefix(want, "other")
		}
		if got != want || pod.Labels[podLabel] != string(tt.kind) {
			t.Errorf("%s: %s, not %s; label %s", tt.kind, got, want, pod.Labels[podLabel])
		}
		if got, want := restrictions(&pod), "true RuntimeDefault false [ALL] <nil> false"; got != want {
			t.Errorf("%s: %s, not %s", tt.kind, got, want)
		}
	}
}

// restrictions returns what the Pod Security Standard restricted demands of a pod, and whether its
// container is privileged, and has a token.
func restrictions(pod *corev1.Pod) string {
	whole, container := pod.Spec.SecurityContext, pod.Spec.Containers[0].SecurityContext
	return fmt.Sprint(*whole.RunAsNonRoot, " ", whole.SeccompProfile.Type, " ", *container.AllowPrivilegeEscalation, " ", container.Capabilities.Drop, " ",
		container.Privileged, " ", *pod.Spec.AutomountServiceAccountToken)
}

// A clock that is wrong delays nothing for long, and writes no negative duration.
func TestAClockThatIsWrong(t *testing.T) {
	w := newWorld(t, objects(nodes())...)
	w.age = -1000 * time.Hour
	w.options.Lookahead = true
	w.restart()
	w.apply(object("DataLoad", "a"))
	w.deliverAll()
	result, err := w.r.Reconcile(t.Context(), requestFor(load("a")))
	w.must(err)
	if result.RequeueAfter <= 0 || result.RequeueAfter > settle {
		t.Errorf("it waits %v for followers", result.RequeueAfter)
	}
	w.options.Lookahead = false
	w.restart()
	w.complete(nodes())
	if s := statusOf(decode(w.operation(load("a")))); s.Phase != dataflow.Complete || s.Duration != "0s" {
		t.Errorf("it is %q after %s", s.Phase, s.Duration)
	}
}

// What a tenant writes into its pods breaks nothing.
func TestAnnotationsThatTenantsWrite(t *testing.T) {
	for _, value := range []string{"2147483647", "-1", "x", ""} {
		w := newWorld(t, objects(nodes())...)
		w.apply(object("DataLoad", "a"))
		w.settle()
		pod := w.pod("a-dataload-0")
		pod.Annotations[podsAnnotation], pod.Annotations[replacedAnnotation] = value, value
		w.must(w.api.Update(t.Context(), pod))
		w.set(pod, corev1.PodFailed, disrupted)
		w.settle()
		w.complete(nodes())
		if phase, again := phaseOf(w.operation(load("a"))), w.pod("a-dataload-0").UID != pod.UID; phase != dataflow.Complete && again {
			t.Errorf("%q: a is %q", value, phase)
		}
	}
}

// Who may not follow an operation is not looked at for its sake.
func TestStrangersCostNothing(t *testing.T) {
	w := newWorld(t, objects(nodes())...)
	w.apply(object("DataLoad", "a"))
	for i := range 20 {
		w.apply(strings.Replace(object("DataLoad", fmt.Sprint("b", i), "runAfter: {kind: DataLoad, namespace: ns, name: a}"), "namespace: ns", "namespace: theirs", 1))
	}
	w.settle()
	w.change(load("a"), func(u *unstructured.Unstructured) {
		w.must(unstructured.SetNestedField(u.Object, "other", "spec", "schedulerName"))
	})
	w.deliverAll()
	if len(w.queue) != 1 {
		t.Errorf("queued %v", w.queue)
	}
}
