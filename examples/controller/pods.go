package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fluid-cloudnative/slipstream/dataflow"
)

const (
	// podLabel is a label of every pod that the controller creates. No others are watched.
	podLabel = "slipstream.fluid.io/operation"

	// podFinalizer keeps a pod that is deleted until the controller has recorded how it
	// ended.
	podFinalizer = "slipstream.fluid.io/record"

	// podsAnnotation says how many pods run the operation. It is decided when the first one
	// is created: a change of spec.parallelism changes nothing after that.
	podsAnnotation = "slipstream.fluid.io/pods"

	// replacedAnnotation says how many pods a pod has replaced.
	replacedAnnotation = "slipstream.fluid.io/replaced"
)

// progress is what the pods of an operation say.
type progress struct {
	want int           // how many pods run the operation
	pods []*corev1.Pod // that are there

	lost    []*corev1.Pod // of these, those that were disrupted before they ended: to be replaced
	deleted []*corev1.Pod // of these, those that go as soon as they have no finalizer

	succeeded     int
	running       bool        // one runs or has succeeded
	failed        string      // how one failed; empty if none did
	unschedulable *corev1.Pod // one for which kube-scheduler finds no node
	leftovers     bool        // there are deleted pods of another operation of this name

	recorded bool // nothing more is to be written about the operation in this pass
}

// progressOf returns what the pods of an operation say, whatever has become of its spec. An
// annotation that asks for more pods than the limit is ignored: a tenant may have written it.
func progressOf(op *operation, pods []*corev1.Pod, limit int) *progress {
	s := &progress{want: op.pods}
	for _, pod := range pods {
		deleted := pod.DeletionTimestamp != nil
		if !metav1.IsControlledBy(pod, op.object) {
			s.leftovers = s.leftovers || deleted
			continue
		}
		s.pods = append(s.pods, pod)
		if n, err := strconv.Atoi(pod.Annotations[podsAnnotation]); err == nil && n > 0 && n <= limit {
			s.want = n
		}
		if deleted {
			s.deleted = append(s.deleted, pod)
		}
		switch {
		case pod.Status.Phase == corev1.PodSucceeded:
			s.succeeded++
			s.running = true
		case isLost(pod):
			s.lost = append(s.lost, pod)
		case pod.Status.Phase == corev1.PodFailed && !deleted:
			s.failed = strings.TrimSpace(fmt.Sprintf("pod %s failed. %s %s", pod.Name, pod.Status.Reason, pod.Status.Message))
		case pod.Status.Phase == corev1.PodRunning:
			s.running = true
		default:
			if c := conditionOf(pod, corev1.PodScheduled); c != nil && c.Status == corev1.ConditionFalse {
				s.unschedulable = pod
			}
		}
	}
	return s
}

// isLost reports whether a pod was disrupted before it ended: it was evicted or preempted, or
// it was deleted and does not run any more. That is no failure of the operation.
func isLost(pod *corev1.Pod) bool {
	if pod.DeletionTimestamp != nil {
		grace := pod.DeletionGracePeriodSeconds
		return pod.Spec.NodeName == "" || grace == nil || *grace == 0
	}
	c := conditionOf(pod, corev1.DisruptionTarget)
	return pod.Status.Phase == corev1.PodFailed && c != nil && c.Status == corev1.ConditionTrue
}

func conditionOf(pod *corev1.Pod, kind corev1.PodConditionType) *corev1.PodCondition {
	i := slices.IndexFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool { return c.Type == kind })
	if i < 0 {
		return nil
	}
	return &pod.Status.Conditions[i]
}

// missing returns the numbers of the pods that are not there.
func (s *progress) missing(ref dataflow.Ref) []int {
	names := map[string]bool{}
	for _, pod := range s.pods {
		names[pod.Name] = true
	}
	var missing []int
	for i := range s.want {
		if !names[podName(ref, i)] {
			missing = append(missing, i)
		}
	}
	return missing
}

// podName returns the name of a pod of an operation. It is always the same, so that no pod is
// created twice.
func podName(ref dataflow.Ref, i int) string {
	return fmt.Sprintf("%s-%s-%d", ref.Name, strings.ToLower(string(ref.Kind)), i)
}

// podFields are the fields of a spec that reach the pods as they are.
type podFields struct {
	SchedulerName string                      `json:"schedulerName"`
	Resources     corev1.ResourceRequirements `json:"resources"`
	PodMetadata   struct {
		Labels      map[string]string `json:"labels"`
		Annotations map[string]string `json:"annotations"`
	} `json:"podMetadata"`
}

// podFieldsOf reads these fields. Those of a DataProcess are in its processor.
func podFieldsOf(op *operation) podFields {
	read := func(path ...string) (fields podFields) {
		raw, _, _ := unstructured.NestedMap(op.object.Object, path...)
		_ = runtime.DefaultUnstructuredConverter.FromUnstructured(raw, &fields)
		return fields
	}
	var fields podFields
	switch op.Ref.Kind {
	case dataflow.DataLoad, dataflow.DataMigrate:
		fields = read("spec")
	case dataflow.DataProcess:
		fields = read("spec", "processor")
		fields.Resources = read("spec", "processor", "script").Resources
		fields.SchedulerName = read("spec", "processor", "job", "podSpec").SchedulerName
	}
	if fields.Resources.Requests == nil {
		fields.Resources.Requests = op.Requests
	}
	return fields
}

// newPod returns the i-th pod of an operation.
func newPod(op *operation, i, of, replaced int, a *corev1.Affinity) *corev1.Pod {
	fields := podFieldsOf(op)
	labels, annotations := map[string]string{}, map[string]string{}
	maps.Copy(labels, fields.PodMetadata.Labels)
	maps.Copy(annotations, fields.PodMetadata.Annotations)
	labels[podLabel] = string(op.Ref.Kind)
	annotations[podsAnnotation] = strconv.Itoa(of)
	if replaced > 0 {
		annotations[replacedAnnotation] = strconv.Itoa(replaced)
	}
	yes, no := true, false
	user := int64(65534) // nobody
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: op.Ref.Namespace, Name: podName(op.Ref, i),
			Labels:          labels,
			Annotations:     annotations,
			Finalizers:      []string{podFinalizer},
			OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(op.object, kindOf(op.Ref.Kind))},
		},
		Spec: corev1.PodSpec{
			RestartPolicy: corev1.RestartPolicyNever,
			SchedulerName: fields.SchedulerName,
			NodeName:      op.NodeName,
			NodeSelector:  op.NodeSelector,
			Affinity:      a,
			Tolerations:   op.Tolerations,
			// The pod passes the Pod Security Standard restricted.
			AutomountServiceAccountToken: &no,
			SecurityContext: &corev1.PodSecurityContext{
				RunAsNonRoot: &yes, RunAsUser: &user, SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
			},
			// What a real operation runs depends on its kind.
			Containers: []corev1.Container{{
				Name: "operation", Image: "busybox", Command: []string{"true"},
				Resources: fields.Resources,
				SecurityContext: &corev1.SecurityContext{
					AllowPrivilegeEscalation: &no, Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
				},
			}},
		},
	}
}

// backoff is how long a pod must have existed before it is replaced. The first is replaced at
// once.
func backoff(replaced int) time.Duration {
	if replaced <= 0 {
		return 0
	}
	return min(10*time.Second<<min(replaced-1, 10), 5*time.Minute)
}

// replace creates a lost pod again, with the affinity that was decided for it: its
// predecessor may have been cleaned up since.
func (p *pass) replace(ctx context.Context, op *operation, state *progress, pod *corev1.Pod) error {
	replacedBefore, _ := strconv.Atoi(pod.Annotations[replacedAnnotation]) // 0 if a tenant has broken it
	delay := backoff(replacedBefore)
	if wait := min(delay, delay-time.Since(pod.CreationTimestamp.Time)); wait > 0 { // a clock can be wrong
		p.retry(wait)
		return nil
	}
	if pod.DeletionTimestamp == nil {
		p.calls--
		uid := pod.UID
		if err := p.API.Delete(ctx, pod, client.Preconditions{UID: &uid}); apierrors.IsConflict(err) {
			return nil // it has been replaced, and the watch of pods is behind
		} else if client.IgnoreNotFound(err) != nil {
			return err
		}
	}
	if err := p.letGo(ctx, pod, false); apierrors.IsConflict(err) {
		return nil
	} else if err != nil {
		return err
	}
	i, err := strconv.Atoi(pod.Name[strings.LastIndexByte(pod.Name, '-')+1:])
	if err != nil {
		return err
	}
	created, err := p.create(ctx, op, newPod(op, i, state.want, replacedBefore+1, pod.Spec.Affinity))
	if err != nil || !created {
		return err
	}
	p.metrics.replaced.WithLabelValues(string(op.Ref.Kind)).Inc()
	p.normal(op, "Replaced", fmt.Sprintf("pod %s was lost%s before it ended, and was created again", pod.Name, on(pod)))
	return nil
}

// create creates a pod, and reports whether it did. If the operation has the pod already, a
// watch will deliver it.
func (p *pass) create(ctx context.Context, op *operation, pod *corev1.Pod) (created bool, err error) {
	p.calls--
	if err = p.API.Create(ctx, pod); !apierrors.IsAlreadyExists(err) {
		return err == nil, err
	}
	p.calls--
	var there corev1.Pod
	if err := p.API.Get(ctx, client.ObjectKeyFromObject(pod), &there); err != nil {
		return false, client.IgnoreNotFound(err)
	}
	switch owner, ok := ownerOf(&there); {
	case ok && owner == op.Ref && !metav1.IsControlledBy(&there, op.object):
		return false, &leftoverError{pod.Name}
	case !metav1.IsControlledBy(&there, op.object):
		return false, fmt.Errorf("there is a pod %s of another owner", pod.Name)
	case there.Labels[podLabel] == "":
		return false, fmt.Errorf("the pod %s has lost the label %s, without which it is not watched", pod.Name, podLabel)
	}
	return false, nil
}

// leftoverError says that a pod of a deleted operation of the same name is still there. The
// garbage collector deletes it, and a watch delivers that.
type leftoverError struct{ pod string }

func (e *leftoverError) Error() string {
	return fmt.Sprintf("the pod %s of a deleted operation of this name is still there", e.pod)
}

// release lets go of pods that are deleted, and of which nothing is to be recorded any more.
func (p *pass) release(ctx context.Context, pods ...*corev1.Pod) error {
	var errs []error
	for _, pod := range pods {
		if p.calls <= 0 {
			p.retry(retryNow)
			break
		}
		if err := p.letGo(ctx, pod, true); apierrors.IsConflict(err) {
			p.retry(retryConflict)
		} else {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// letGo removes the finalizer of a pod. With sameVersion it is removed only from the version
// that the watch delivered; that keeps finalizers of others that were added since.
func (p *pass) letGo(ctx context.Context, pod *corev1.Pod, sameVersion bool) error {
	i := slices.Index(pod.Finalizers, podFinalizer)
	if i < 0 {
		return nil
	}
	metadata := map[string]any{"uid": pod.UID, "finalizers": slices.Delete(slices.Clone(pod.Finalizers), i, i+1)}
	if sameVersion {
		metadata["resourceVersion"] = pod.ResourceVersion
	}
	patch, err := json.Marshal(map[string]any{"metadata": metadata})
	if err != nil {
		return err
	}
	p.calls--
	there := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: pod.Namespace, Name: pod.Name}}
	err = p.API.Patch(ctx, there, client.RawPatch(types.MergePatchType, patch))
	return client.IgnoreNotFound(err)
}

// releaseLeftovers lets go of deleted pods of operations that do not exist any more, and had
// the name of an operation that exists (with the given UID) or does not exist.
func (p *pass) releaseLeftovers(ctx context.Context, ref dataflow.Ref, uid types.UID) error {
	for _, pod := range p.flow.pods[ref] {
		owner := metav1.GetControllerOf(pod)
		if pod.DeletionTimestamp == nil || owner == nil || owner.UID == uid || !slices.Contains(pod.Finalizers, podFinalizer) {
			continue
		}
		if live, err := p.read(ctx, ref); err != nil || live != nil && live.uid() == owner.UID {
			return err // a watch is behind
		}
		if err := p.release(ctx, pod); err != nil {
			return err
		}
	}
	return nil
}

// on says on which node a pod is.
func on(pod *corev1.Pod) string {
	return cmp.Or(strings.TrimSuffix(" on "+pod.Spec.NodeName, " on "), "")
}
