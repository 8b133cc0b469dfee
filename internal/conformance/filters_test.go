package conformance_test

import (
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	resourceapi "k8s.io/api/resource/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	k8slabels "k8s.io/apimachinery/pkg/labels"
	utilfeature "k8s.io/apiserver/pkg/util/feature"
	featuregatetesting "k8s.io/component-base/featuregate/testing"
	podresources "k8s.io/component-helpers/resource"
	"k8s.io/klog/v2"
	fwk "k8s.io/kube-scheduler/framework"
	"k8s.io/kubernetes/pkg/features"
	"k8s.io/kubernetes/pkg/kubelet/lifecycle"
	"k8s.io/kubernetes/pkg/scheduler/apis/config"
	"k8s.io/kubernetes/pkg/scheduler/apis/config/latest"
	"k8s.io/kubernetes/pkg/scheduler/framework"
	inTree "k8s.io/kubernetes/pkg/scheduler/framework/plugins"
	"k8s.io/kubernetes/pkg/scheduler/framework/plugins/names"
	"k8s.io/kubernetes/pkg/scheduler/framework/plugins/noderesources"

	"github.com/fluid-cloudnative/slipstream/dataflow"
	"github.com/fluid-cloudnative/slipstream/dataflow/dataflowtest"
)

// Tolerations with Lt and Gt are behind a feature gate. It is open here: with it closed an API
// server lets none of them through.
const comparingTolerations = features.TaintTolerationComparisonOperators

// Laws L9 and L10 of a pod that the scheduler places.
func TestForecastAgreesWithTheFilterPlugins(t *testing.T) {
	featuregatetesting.SetFeatureGateDuringTest(t, utilfeature.DefaultFeatureGate, comparingTolerations, true)
	s := newScheduler(t)
	compareForecasts(t, false, s.refusals,
		"refused by NodeUnschedulable alone", "refused by TaintToleration alone", "refused by NodeAffinity alone", "refused by NodeResourcesFit alone",
		"refused by several", "NodeAffinity: names nodes", "forecast: some nodes", "forecast: all nodes")
}

// Laws L9 and L10 of a pod with a node name, which the kubelet of that node admits or not.
// The handler is the kubelet's own; it is held against every node, and refuses those with
// another name. It runs on Linux, and gives its node the label that says so. What it looks at
// in addition is not drawn: the OS of a pod, the policy of its supplemental groups, host ports
// that are in use, and whether it comes from a file. Its plugin manager and its eviction of
// less important pods for critical ones take no part.
func TestForecastAgreesWithTheKubelet(t *testing.T) {
	featuregatetesting.SetFeatureGateDuringTest(t, utilfeature.DefaultFeatureGate, comparingTolerations, true)
	compareForecasts(t, true, kubeletRefusals,
		"refused by NodeName alone", "refused by TaintToleration alone", "refused by NodeAffinity alone", "refused by NodeResourcesFit alone", "refused by several",
		"kubelet: passes over a missing extended resource", "cordoned: bound nevertheless", "forecast: some nodes")
}

// A refusal says why a pod cannot run on a node: the name of the plugin, and of
// NodeResourcesFit the resources that are short.
type refusal struct {
	plugin string
	short  []shortage
}

type shortage struct {
	resource        corev1.ResourceName
	requested, free int64 // in the unit in which the scheduler counts the resource
}

// compareForecasts holds the forecast of one operation by itself against the refusals of a
// pod on each node. It checks the feasible nodes, the verdicts and the resources that are
// short, and that with the forecast's affinity in place of its own the pod is let through on
// the same nodes (law L4).
//
// The pod is one that an API server created, or at times one that it would have rejected. An
// extended resource is not part of its overhead: an operation's requests are a sum, and
// neither the kubelet nor the admission plugin looks at the overhead.
func compareForecasts(t *testing.T, bound bool, refusals func(*draw, *corev1.Pod, []corev1.Node, [][]*corev1.Pod) [][]refusal, corners ...string) {
	size := 2 * nodesPerInput
	if bound {
		size = 3
	}
	plain, tolerating := apiServer{}, apiServer{MutationInterface: extendedResourceToleration(t)}
	compare(t, func(d *draw) error {
		nodes, running := d.cluster(size)
		server, options := plain, dataflow.ForecastOptions{}
		if d.Hit("ExtendedResourceToleration", d.oneIn(2)) {
			server, options.ExtendedResourceToleration = tolerating, true
		}
		own := d.affinity()
		if own != nil && own.NodeAffinity != nil && d.oneIn(2) {
			own.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution = nil // so that the other filters decide
		}
		submitted := d.pod(own)
		d.withResources(submitted)
		submitted.Spec.NodeName, submitted.Spec.NodeSelector, submitted.Spec.Tolerations = "", d.nodeSelector(), d.tolerations()
		if bound {
			submitted.Spec.NodeName = oneOf(d, nodes...).Name
			for i := range nodes {
				if len(nodes[i].Labels) > 0 {
					nodes[i].Labels[corev1.LabelOSStable] = "linux"
				}
			}
		}
		if d.Hit("pod: as no API server has it", d.oneIn(4)) {
			d.unfiltered(submitted)
			server.skipValidation = true
		}
		pod, faults := server.create(submitted)
		if d.Hit("pod: rejected", len(faults) > 0) {
			return nil
		}
		requests := podresources.PodRequests(pod, podresources.PodResourcesOptions{})
		use := used(nodes, running)
		d.inspect(pod.Spec.Affinity)
		d.inspectRequests(requests)
		d.inspectFree(nodes, use, requests)
		for i := range nodes {
			d.inspectNode(pod.Spec.Affinity, &nodes[i])
		}

		op := dataflow.Operation{
			Ref:          dataflow.Ref{Kind: dataflow.DataProcess, Namespace: "default", Name: "process"},
			NodeName:     pod.Spec.NodeName,
			NodeSelector: pod.Spec.NodeSelector,
			Affinity:     pod.Spec.Affinity,
			Tolerations:  submitted.Spec.Tolerations, // without those that the admission plugin added
			Requests:     requests,
		}
		index, err := dataflow.IndexNodes(nodes, use)
		if err != nil {
			return disagreement("IndexNodes", nodes, text(err))
		}
		flow, err := dataflow.New(op)
		if err != nil {
			return disagreement("New", op, text(err))
		}
		forecast, err := flow.Forecast(index, options)
		if err != nil {
			return disagreement("Forecast", op, text(err))
		}

		refused := refusals(d, pod, nodes, running)
		want := admitting(nodes, refused)
		d.Cases += len(nodes)
		if got := forecast.Nodes(op.Ref); !slices.Equal(got, want) {
			return disagreement("Nodes", op, options, nodes, use, got, want)
		}
		oracle := op
		oracle.Tolerations = pod.Spec.Tolerations
		for i := range nodes {
			// The oracle of the test kits.
			if by := dataflowtest.RefusedBy(oracle, &nodes[i], use[nodes[i].Name]); (by == "") != (len(refused[i]) == 0) {
				return disagreement("RefusedBy", oracle, nodes[i], use[nodes[i].Name], by, fmt.Sprintf("%+v", refused[i]))
			}
			if d.Hit("refused by several", len(refused[i]) > 1) {
			} else if len(refused[i]) == 1 {
				d.Hit("refused by "+refused[i][0].plugin+" alone", true)
			}
			d.Hit("cordoned: bound nevertheless", bound && nodes[i].Spec.Unschedulable && len(refused[i]) == 0)
			if verdict, why := forecast.Verdict(op.Ref, nodes[i].Name), forecast.Why(op.Ref, nodes[i].Name); !explains(verdict, why, pod, &nodes[i], refused[i], bound) {
				return disagreement("Verdict", op, nodes[i], use[nodes[i].Name], verdict, why, fmt.Sprintf("%+v", refused[i]))
			}
		}
		if d.Hit("forecast: no node", len(want) == 0) {
			return nil
		}
		d.Hit("forecast: all nodes", len(want) == len(nodes))
		d.Hit("forecast: some nodes", len(want) < len(nodes))

		narrowed, err := forecast.Affinity(op.Ref)
		if err != nil {
			return disagreement("Affinity", op, nodes, text(err))
		}
		pod.Spec.Affinity = narrowed
		if got := admitting(nodes, refusals(d, pod, nodes, running)); !slices.Equal(got, want) {
			return disagreement("Affinity", op, options, nodes, use, narrowed, got, want)
		}
		return nil
	}, slices.Concat(affinityCorners, nodeCorners, taintCorners, resourceCorners, corners, []string{
		noTerms, "node selector", "forecast: no node", "ExtendedResourceToleration", "pod: rejected",
	})...)
}

// admitting returns the sorted names of the nodes without a refusal.
func admitting(nodes []corev1.Node, refused [][]refusal) []string {
	var admitting []string
	for i := range nodes {
		if len(refused[i]) == 0 {
			admitting = append(admitting, nodes[i].Name)
		}
	}
	slices.Sort(admitting)
	return admitting
}

var resourceShort = regexp.MustCompile(`^(.*): (\S+) requested, (\S+) free$`)

// explains reports whether a verdict and its reason are those of the first refusal, or for a
// bound pod of one of them: the kubelet has no order.
func explains(verdict dataflow.Verdict, why string, pod *corev1.Pod, node *corev1.Node, refused []refusal, bound bool) bool {
	if len(refused) == 0 {
		return verdict == dataflow.VerdictFeasible && why == ""
	}
	if !bound {
		refused = refused[:1]
	}
	return slices.ContainsFunc(refused, func(r refusal) bool {
		switch r.plugin {
		case names.NodeName:
			return verdict == dataflow.VerdictNodeName
		case names.NodeUnschedulable:
			return verdict == dataflow.VerdictCordon
		case names.TaintToleration:
			return verdict == dataflow.VerdictTaint ||
				verdict == dataflow.VerdictCordon && slices.Contains(node.Spec.Taints, corev1.Taint{Key: corev1.TaintNodeUnschedulable, Effect: corev1.TaintEffectNoSchedule})
		case names.NodeAffinity:
			if k8slabels.SelectorFromSet(pod.Spec.NodeSelector).Matches(k8slabels.Set(node.Labels)) {
				return verdict == dataflow.VerdictAffinity
			}
			return verdict == dataflow.VerdictSelector
		}
		listed := strings.Split(why, "; ")
		return verdict == dataflow.VerdictResources && len(listed) == len(r.short) && !slices.ContainsFunc(listed, func(one string) bool {
			match := resourceShort.FindStringSubmatch(one)
			return match == nil || !slices.ContainsFunc(r.short, func(s shortage) bool {
				return string(s.resource) == match[1] && shows(match[2], s.resource, s.requested) && shows(match[3], s.resource, s.free)
			})
		})
	})
}

// shows reports whether a text is that of an amount of a resource, in one of its forms.
func shows(text string, name corev1.ResourceName, amount int64) bool {
	if name == corev1.ResourceCPU {
		return text == resource.NewMilliQuantity(amount, resource.DecimalSI).String()
	}
	return text == resource.NewQuantity(amount, resource.DecimalSI).String() || text == resource.NewQuantity(amount, resource.BinarySI).String()
}

// scheduler holds the plugins of kube-scheduler that law L9 names, in the order and with the
// arguments of the default profile.
type scheduler []filter

type filter interface{ fwk.FilterPlugin }

// newScheduler makes the plugins under the default feature gates, in a cluster without
// device classes.
func newScheduler(t testing.TB) scheduler {
	defaults, err := latest.Default()
	if err != nil {
		t.Fatal(err)
	}
	profile, registry := defaults.Profiles[0], inTree.NewInTreeRegistry()
	var s scheduler
	for _, enabled := range profile.Plugins.MultiPoint.Enabled {
		switch enabled.Name {
		case names.NodeName, names.NodeUnschedulable, names.TaintToleration, names.NodeAffinity, names.NodeResourcesFit:
		default:
			continue
		}
		at := slices.IndexFunc(profile.PluginConfig, func(c config.PluginConfig) bool { return c.Name == enabled.Name })
		var arguments config.PluginConfig
		if at >= 0 {
			arguments = profile.PluginConfig[at]
		}
		plugin, err := registry[enabled.Name](t.Context(), arguments.Args, handle{})
		if err != nil {
			t.Fatal(err)
		}
		s = append(s, plugin.(filter))
	}
	if len(s) != 5 {
		t.Fatalf("%d plugins", len(s))
	}
	return s
}

// handle is what the plugins see of the rest of kube-scheduler.
type handle struct{ fwk.Handle }

func (handle) SharedDRAManager() fwk.SharedDRAManager { return noDevices{} }

type noDevices struct{ fwk.SharedDRAManager }

func (noDevices) DeviceClassResolver() fwk.DeviceClassResolver { return noDeviceClasses{} }

type noDeviceClasses struct{ fwk.DeviceClassResolver }

func (noDeviceClasses) GetDeviceClass(corev1.ResourceName) *resourceapi.DeviceClass { return nil }

// quiet is a context without a logger: the plugins log what is no number.
func quiet() context.Context { return klog.NewContext(context.Background(), klog.Logger{}) }

// snapshots returns what kube-scheduler knows of the nodes and the pods that run on them.
func snapshots(nodes []corev1.Node, running [][]*corev1.Pod) []fwk.NodeInfo {
	infos := make([]fwk.NodeInfo, len(nodes))
	for i := range nodes {
		info := framework.NewNodeInfo(running[i]...)
		info.SetNode(&nodes[i])
		infos[i] = info
	}
	return infos
}

// prepare returns the plugins that have to be asked about a pod on each node.
func (s scheduler) prepare(ctx context.Context, state fwk.CycleState, pod *corev1.Pod, infos []fwk.NodeInfo) []filter {
	var active []filter
	for _, plugin := range s {
		if p, ok := plugin.(fwk.PreFilterPlugin); ok {
			if _, status := p.PreFilter(ctx, state, pod, infos); status.IsSkip() {
				continue
			}
		}
		active = append(active, plugin)
	}
	return active
}

// refusals returns, for each node, the refusals of the plugins in their order.
func (s scheduler) refusals(d *draw, pod *corev1.Pod, nodes []corev1.Node, running [][]*corev1.Pod) [][]refusal {
	ctx, state, infos := quiet(), framework.NewCycleState(), snapshots(nodes, running)
	refused := make([][]refusal, len(nodes))
	for _, plugin := range s {
		var only *fwk.PreFilterResult
		var status *fwk.Status
		if p, ok := plugin.(fwk.PreFilterPlugin); ok {
			only, status = p.PreFilter(ctx, state, pod, infos)
		}
		if status.IsSkip() {
			continue
		}
		for i, info := range infos {
			if status.IsSuccess() && (d.Hit("NodeAffinity: names nodes", !only.AllNodes()) && only.NodeNames.Has(nodes[i].Name) || only.AllNodes()) &&
				plugin.Filter(ctx, state, pod, info).IsSuccess() {
				continue
			}
			r := refusal{plugin: plugin.Name()}
			if plugin.Name() == names.NodeResourcesFit {
				for _, short := range noderesources.Fits(pod, info, nil, noderesources.ResourceRequestsOptions{EnablePodLevelResources: true}) {
					r.short = append(r.short, shortage{short.ResourceName, short.Requested, short.Capacity - short.Used})
				}
			}
			refused[i] = append(refused[i], r)
		}
	}
	return refused
}

// kubeletRefusals returns, for each node, the refusals of its kubelet.
func kubeletRefusals(d *draw, pod *corev1.Pod, nodes []corev1.Node, running [][]*corev1.Pod) [][]refusal {
	refused := make([][]refusal, len(nodes))
	for i := range nodes {
		reasons := &recorder{}
		handler := lifecycle.NewPredicateAdmitHandler(
			func(context.Context, bool) (*corev1.Node, error) { return &nodes[i], nil }, reasons,
			func(*framework.NodeInfo, *lifecycle.PodAdmitAttributes) error { return nil })
		result := handler.Admit(quiet(), &lifecycle.PodAdmitAttributes{Pod: pod, OtherPods: running[i], Operation: lifecycle.AddOperation})
		byPlugin := map[string]*refusal{}
		for _, reason := range reasons.reasons {
			plugin, short := names.NodeResourcesFit, []shortage(nil)
			switch reason := reason.(type) {
			case *lifecycle.PredicateFailureError:
				plugin = reason.PredicateName
			case *lifecycle.InsufficientResourceError:
				short = []shortage{{reason.ResourceName, reason.Requested, reason.Capacity - reason.Used}}
			}
			if byPlugin[plugin] == nil {
				byPlugin[plugin] = &refusal{plugin: plugin}
			}
			byPlugin[plugin].short = append(byPlugin[plugin].short, short...)
		}
		for _, plugin := range slices.Sorted(maps.Keys(byPlugin)) {
			refused[i] = append(refused[i], *byPlugin[plugin])
		}
		if !result.Admit && len(refused[i]) == 0 {
			refused[i] = []refusal{{plugin: "the kubelet: " + result.Message}}
		}
		if _, has := nodes[i].Status.Allocatable[gpu]; result.Admit && !has {
			requested := podresources.PodRequests(pod, podresources.PodResourcesOptions{})[gpu]
			d.Hit("kubelet: passes over a missing extended resource", requested.Sign() > 0)
		}
	}
	return refused
}

// recorder keeps the reasons for which a kubelet refuses a pod, and helps none of them.
type recorder struct {
	reasons []lifecycle.PredicateFailureReason
}

func (r *recorder) HandleAdmissionFailure(_ context.Context, _ *corev1.Pod, reasons []lifecycle.PredicateFailureReason, _ lifecycle.Operation) ([]lifecycle.PredicateFailureReason, error) {
	r.reasons = reasons
	return reasons, nil
}
