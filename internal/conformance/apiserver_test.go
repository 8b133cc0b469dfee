package conformance_test

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/apiserver/pkg/admission"
	"k8s.io/apiserver/pkg/endpoints/request"
	"k8s.io/apiserver/pkg/registry/rest"
	"k8s.io/kubernetes/pkg/apis/core"
	_ "k8s.io/kubernetes/pkg/apis/core/install" // for the registry
	corev1conversion "k8s.io/kubernetes/pkg/apis/core/v1"
	podregistry "k8s.io/kubernetes/pkg/registry/core/pod"
	"k8s.io/kubernetes/plugin/pkg/admission/extendedresourcetoleration"

	"github.com/fluid-cloudnative/slipstream/affinity"
	"github.com/fluid-cloudnative/slipstream/topology"
)

// Law V1. A case is a whole pod that the API server accepts with its own affinity.
func TestAPIServerAccepts(t *testing.T) {
	compare(t, func(d *draw) error {
		own, s, exposed := d.anyAffinity(), d.strategy(), topology.NewLabelSet(d.labels())
		pod := d.pod(own)
		_, faults := apiServer{}.create(pod)
		if d.Hit("pod: rejected as it is", len(faults) > 0) {
			return nil
		}
		result, err := affinity.Inherit(own, s, exposed)
		if d.Hit("Inherit: conflict", errors.As(err, new(*affinity.ConflictError))) {
			return nil
		} else if err != nil {
			return disagreement("Inherit", own, s, exposed.String(), text(err))
		}
		d.Cases++
		d.inspect(own)
		d.inspectStrategy(s)
		d.Hit("Inherit: adds a requirement", s.Policy == affinity.Require && result.Inherited.Len() > 0)
		d.Hit("Inherit: adds a preference", s.Policy == affinity.Prefer && result.Inherited.Len() > 0)
		d.Hit("pod: affinity to pods", own != nil && own.PodAffinity != nil)
		d.Hit("pod: gated", pod.Spec.SchedulingGates != nil)
		d.Hit("pod: on a host's network", pod.Spec.HostNetwork)
		d.Hit("pod: several containers", len(pod.Spec.Containers) > 1)
		d.Hit("pod: with volumes", pod.Spec.Volumes != nil)
		d.Hit("pod: with tolerations", pod.Spec.Tolerations != nil)
		d.Hit("pod: spread", pod.Spec.TopologySpreadConstraints != nil)

		inheriting := pod.DeepCopy()
		inheriting.Spec.Affinity = result.Affinity
		if _, faults := (apiServer{}).create(inheriting); len(faults) > 0 {
			return disagreement("rejected", own, s, exposed.String(), result.Affinity, text(faults.ToAggregate()))
		}
		return nil
	}, slices.Concat(affinityCorners, strategyCorners, []string{
		"pod: rejected as it is", "Inherit: conflict", "Inherit: adds a requirement", "Inherit: adds a preference",
		"pod: affinity to pods", "pod: gated", "pod: on a host's network", "pod: several containers", "pod: with volumes",
		"pod: with tolerations", "pod: spread",
	})...)
}

// An apiServer creates pods as kube-apiserver does, with an admission plugin if that is not
// nil.
type apiServer struct {
	admission.MutationInterface
	skipValidation bool
}

// create returns the pod as it is stored, or why it is rejected: defaulting, admission, and
// what the registry does before it writes a pod. The given pod is not written to.
func (s apiServer) create(pod *corev1.Pod) (*corev1.Pod, field.ErrorList) {
	pod = pod.DeepCopy()
	corev1conversion.SetObjectDefaults_Pod(pod)
	var internal core.Pod
	if err := corev1conversion.Convert_v1_Pod_To_core_Pod(pod, &internal, nil); err != nil {
		panic(err)
	}
	if s.MutationInterface != nil {
		attributes := admission.NewAttributesRecord(&internal, nil, core.Kind("Pod").WithVersion("v1"), pod.Namespace, pod.Name,
			core.Resource("pods").WithVersion("v1"), "", admission.Create, &metav1.CreateOptions{}, false, nil)
		if err := s.Admit(context.Background(), attributes, nil); err != nil {
			panic(err)
		}
	}
	ctx := request.WithRequestInfo(request.WithNamespace(context.Background(), pod.Namespace),
		&request.RequestInfo{IsResourceRequest: true, Verb: "create", APIVersion: "v1", Resource: "pods", Namespace: pod.Namespace})
	podregistry.Strategy.PrepareForCreate(ctx, &internal)
	var faults field.ErrorList
	if !s.skipValidation {
		faults = rest.ValidateCreate(ctx, &internal, podregistry.Strategy)
	}
	stored := &corev1.Pod{}
	if err := corev1conversion.Convert_core_Pod_To_v1_Pod(&internal, stored, nil); err != nil {
		panic(err)
	}
	return stored, faults
}

// extendedResourceToleration returns the admission plugin of that name.
func extendedResourceToleration(t testing.TB) admission.MutationInterface {
	plugins := admission.NewPlugins()
	extendedresourcetoleration.Register(plugins)
	plugin, err := plugins.InitPlugin(extendedresourcetoleration.PluginName, nil, admission.PluginInitializers{})
	if err != nil {
		t.Fatal(err)
	}
	return plugin.(admission.MutationInterface)
}

// pod draws a pod of a data operation, with every part that has to do with where it runs,
// and others. Some are rejected by an API server.
func (d *draw) pod(own *corev1.Affinity) *corev1.Pod {
	app := map[string]string{"app": "load"}
	pod := podWith(d.anyNodeSelector(), own)
	pod.ObjectMeta.Labels = app
	spec := &pod.Spec
	for i := range 1 + d.IntN(2) {
		c := corev1.Container{
			Name:                     "load-" + strconv.Itoa(i),
			Image:                    "example.com/load:1",
			TerminationMessagePolicy: corev1.TerminationMessageReadFile,
			ImagePullPolicy:          oneOf(d, "", corev1.PullAlways, corev1.PullIfNotPresent),
		}
		if d.oneIn(2) {
			c.Resources.Requests = corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("1Gi")}
		}
		if d.oneIn(4) {
			c.Ports = []corev1.ContainerPort{{ContainerPort: int32(8080 + i)}}
		}
		if d.oneIn(4) {
			c.Env = []corev1.EnvVar{{Name: "NODE", ValueFrom: &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{FieldPath: "spec.nodeName"}}}}
		}
		if d.oneIn(4) {
			c.LivenessProbe = &corev1.Probe{ProbeHandler: corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Path: "/", Port: intstr.FromInt32(8080)}}}
		}
		spec.Containers = append(spec.Containers, c)
	}
	if d.oneIn(4) {
		spec.InitContainers = []corev1.Container{{Name: "prepare", Image: "example.com/prepare:1"}}
	}
	if d.oneIn(2) {
		spec.Volumes = []corev1.Volume{{Name: "data", VolumeSource: oneOf(d,
			corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}},
			corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: "/data"}},
			corev1.VolumeSource{PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: "dataset"}},
		)}}
		spec.Containers[0].VolumeMounts = []corev1.VolumeMount{{Name: "data", MountPath: "/data"}}
	}
	if d.oneIn(4) {
		spec.Tolerations = d.tolerations()
	}
	if d.oneIn(4) {
		spec.TopologySpreadConstraints = []corev1.TopologySpreadConstraint{{
			MaxSkew: 1, TopologyKey: d.key(), WhenUnsatisfiable: oneOf(d, corev1.DoNotSchedule, corev1.ScheduleAnyway),
			LabelSelector: &metav1.LabelSelector{MatchLabels: app},
		}}
	}
	if d.oneIn(8) {
		spec.SchedulingGates = []corev1.PodSchedulingGate{{Name: "example.com/wait"}}
	}
	if d.oneIn(16) {
		spec.NodeName = oneOf(d, d.names...)
	}
	spec.HostNetwork = d.oneIn(4)
	spec.RestartPolicy = oneOf(d, "", corev1.RestartPolicyNever, corev1.RestartPolicyOnFailure)
	spec.ServiceAccountName = oneOf(d, "", "loader")
	return pod
}
