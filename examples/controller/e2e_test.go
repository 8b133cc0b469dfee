//go:build e2e

package main

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"text/tabwriter"
	"time"

	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/fluid-cloudnative/slipstream/dataflow"
)

const fixtures = "../plan/testdata/fixtures/"

// What the script e2e provides: the folder of the programs of the control plane, the
// controller, and the folder of Fluid's CRDs.
const (
	programsVariable   = "CONTROL_PLANE"
	controllerVariable = "CONTROLLER"
	crdsVariable       = "FLUID_CRDS"
)

// The labels that operations follow here.
const (
	hostname     = "kubernetes.io/hostname"
	zone         = "topology.kubernetes.io/zone"
	region       = "topology.kubernetes.io/region"
	instanceType = "node.kubernetes.io/instance-type"
)

// What the test expects is written down for each scenario, and compared with the nodes
// that kube-scheduler put the pods on and their labels: slipstream is not asked.
func TestOnARealControlPlane(t *testing.T) {
	for _, variable := range []string{programsVariable, controllerVariable, crdsVariable} {
		if os.Getenv(variable) == "" {
			t.Fatalf("%s is not set; run ./e2e", variable)
		}
	}
	c := newCluster(t, os.Getenv(programsVariable), os.Getenv(crdsVariable))
	defer c.printTable()
	text, err := os.ReadFile(fixtures + "nodes.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var nodes corev1.NodeList
	if err := yaml.Unmarshal(text, &nodes); err != nil {
		t.Fatal(err)
	}
	for _, node := range nodes.Items {
		c.node(t, node)
	}

	c.avoid.Store(true)
	controller := c.controller()
	scenario := func(namespace string, run func(t *testing.T, ns string)) {
		t.Run(namespace, func(t *testing.T) {
			if namespace != "default" {
				if err := c.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}); err != nil {
					t.Fatal(err)
				}
			}
			run(t, namespace)
		})
	}
	demo := func(file string, must ...must) func(t *testing.T, ns string) {
		return func(t *testing.T, ns string) {
			text, err := os.ReadFile(fixtures + file)
			if err != nil {
				t.Fatal(err)
			}
			c.apply(t, strings.NewReplacer("loadA", "load-a", "loadB", "load-b").Replace(string(text)), ns) // as the API server demands
			c.completes(t, ns)
			c.check(t, ns, must...)
		}
	}
	scenario("demo1", demo("demo1-location.yaml", must{"DataLoad load-b", hostname, "DataLoad load-a"}))
	scenario("demo2", func(t *testing.T, ns string) {
		demo("demo2-custom-label.yaml", must{"DataLoad load-b", instanceType, "DataLoad load-a"})(t, ns)
		c.isOn(t, ns, "DataLoad load-b", "gpu-a1", "gpu-b1")
	})
	scenario("default", func(t *testing.T, ns string) { // as the references of the third demo say
		demo("demo3-depend-on.yaml", must{"DataProcess step4-infer-server", instanceType, "DataProcess step2-trtllm-convert"})(t, ns)
		c.isOn(t, ns, "DataProcess step4-infer-server", "gpu-a1", "gpu-b1")
	})
	scenario("zone", func(t *testing.T, ns string) {
		c.apply(t, data("DataLoad", "a")+
			data("DataLoad", "b", runAfter("DataLoad", "a", "policy: Require, requires: [{name: "+zone+"}]"))+
			data("DataLoad", "c", runAfter("DataLoad", "b", "policy: Require, requires: [{name: "+zone+"}, {name: "+region+"}]")), ns)
		c.completes(t, ns)
		c.check(t, ns, must{"DataLoad b", zone, "DataLoad a"}, must{"DataLoad c", zone, "DataLoad b"}, must{"DataLoad c", region, "DataLoad b"})
	})
	scenario("prefer", func(t *testing.T, ns string) {
		c.apply(t, data("DataLoad", "a")+
			data("DataLoad", "b", runAfter("DataLoad", "a", "policy: Prefer, prefers: [{name: "+hostname+", weight: 100}, {name: "+zone+", weight: 50}, {name: "+region+", weight: 1}]")), ns)
		c.completes(t, ns)
		c.check(t, ns) // where it runs is up to the scheduler
		a, b := c.pod(t, ns, "DataLoad a"), c.pod(t, ns, "DataLoad b")
		labels := c.labels[a.Spec.NodeName]
		want := fmt.Sprintf("100 %s In [%s], 50 %s In [%s], 1 %s In [%s]", hostname, labels[hostname], zone, labels[zone], region, labels[region])
		var got []string
		for _, p := range b.Spec.Affinity.NodeAffinity.PreferredDuringSchedulingIgnoredDuringExecution {
			e := p.Preference.MatchExpressions[0]
			got = append(got, fmt.Sprint(p.Weight, " ", e.Key, " ", e.Operator, " ", e.Values))
		}
		if strings.Join(got, ", ") != want {
			t.Errorf("b prefers %s, not %s", got, want)
		}
	})
	scenario("own-term", func(t *testing.T, ns string) { // for which Fluid v1.0.8 loses the inherited requirement
		c.apply(t, data("DataLoad", "a", "nodeSelector: {"+zone+": east-b}")+
			data("DataLoad", "b", onGPU, runAfter("DataLoad", "a", "policy: Require, requires: [{name: "+zone+"}]")), ns)
		c.completes(t, ns)
		c.check(t, ns, must{"DataLoad b", zone, "DataLoad a"})
		c.isOn(t, ns, "DataLoad b", "gpu-b1") // the one GPU in that zone without a taint
	})
	scenario("conflict", func(t *testing.T, ns string) {
		c.apply(t, data("DataLoad", "a", "nodeSelector: {"+zone+": east-a}")+
			data("DataLoad", "b", "nodeSelector: {"+zone+": west-c}", runAfter("DataLoad", "a", "policy: Require, requires: [{name: "+zone+"}]")), ns)
		c.warned(t, ns, "DataLoad b", "Conflict", "it ran where "+zone+"=east-a, but spec.nodeSelector requires")
		c.noPod(t, ns, "DataLoad b")
		c.check(t, ns)
	})
	scenario("distributed", func(t *testing.T, ns string) {
		c.apply(t, data("DataLoad", "a")+
			data("DataMigrate", "mirror", "parallelism: 3", runAfter("DataLoad", "a", "policy: Require"))+
			data("DataLoad", "b", runAfter("DataMigrate", "mirror", "policy: Require"))+
			data("DataLoad", "c", runAfter("DataMigrate", "mirror", "policy: Require, dependOn: {kind: DataLoad, name: a}")), ns)
		c.completes(t, ns)
		c.check(t, ns, must{"DataLoad c", hostname, "DataLoad a"})
		c.warned(t, ns, "DataLoad b", "MissingLabels", hostname)
		for i := range 3 {
			pod := corev1.Pod{}
			name := podName(dataflow.Ref{Kind: dataflow.DataMigrate, Name: "mirror"}, i)
			if err := c.Get(t.Context(), client.ObjectKey{Namespace: ns, Name: name}, &pod); err != nil || pod.Spec.Affinity != nil {
				t.Errorf("%s: %v, affinity %v", name, err, pod.Spec.Affinity)
			}
		}
	})
	scenario("backup", func(t *testing.T, ns string) {
		c.apply(t, data("DataLoad", "a")+
			data("DataBackup", "keep", runAfter("DataLoad", "a", "policy: Require"))+
			data("DataProcess", "c", runAfter("DataBackup", "keep", "policy: Require")), ns)
		c.completes(t, ns)
		c.check(t, ns, must{"DataBackup keep", hostname, "DataLoad a"}, must{"DataProcess c", hostname, "DataBackup keep"})
	})
	scenario("invalid", func(t *testing.T, ns string) {
		c.apply(t, data("DataLoad", "a")+
			data("DataLoad", "b", runAfter("DataLoad", "a", "policy: Must"))+
			data("DataLoad", "c", runAfter("DataLoad", "a", "policy: Require, requires: [{name: not a key}]"))+
			data("DataLoad", "d", runAfter("DataLoad", "a", "policy: Require")), ns)
		c.warned(t, ns, "DataLoad b", "Invalid", `"Must"`)
		c.warned(t, ns, "DataLoad c", "Invalid", `"not a key"`)
		c.completes(t, ns, "b", "c")
		c.noPod(t, ns, "DataLoad b")
		c.noPod(t, ns, "DataLoad c")
		// What is fixed goes on.
		u := objectOf(dataflow.Ref{Kind: dataflow.DataLoad, Namespace: ns, Name: "b"})
		if err := c.Patch(t.Context(), u, client.RawPatch("application/merge-patch+json", []byte(`{"spec": {"runAfter": {"affinityStrategy": {"policy": "Require"}}}}`))); err != nil {
			t.Fatal(err)
		}
		c.completes(t, ns, "c")
		c.check(t, ns, must{"DataLoad b", hostname, "DataLoad a"}, must{"DataLoad d", hostname, "DataLoad a"})
	})
	scenario("failed", func(t *testing.T, ns string) { // in the wrong order
		c.apply(t, data("DataLoad", "c", runAfter("DataLoad", "b", ""))+
			data("DataLoad", "b", runAfter("DataLoad", "fails", ""))+
			data("DataLoad", "typo", runAfter("DataLoad", "fail", "")), ns)
		c.warned(t, ns, "DataLoad typo", "Waiting", "DataLoad failed/fail: it does not exist")
		c.apply(t, data("DataLoad", "fails"), ns)
		c.warned(t, ns, "DataLoad b", "Blocked", "DataLoad failed/fails failed")
		c.warned(t, ns, "DataLoad c", "Blocked", "DataLoad failed/fails failed")
		c.noPod(t, ns, "DataLoad c")
	})

	scenario("stranded", func(t *testing.T, ns string) {
		for _, name := range []string{"gpu-a1", "gpu-b1"} { // download can run on a CPU node only
			c.cordon(t, name, true)
		}
		c.applyFile(t, fixtures+"stranding.yaml", ns)
		c.stalls(t, ns, "DataProcess convert", reasonUnschedulable, "no node is available")
		for _, name := range []string{"gpu-a1", "gpu-b1"} {
			c.cordon(t, name, false)
		}
		on := c.pod(t, ns, "DataLoad download").Spec.NodeName
		c.rows = append(c.rows, row{ns, "DataLoad download", on, "", ""}, row{ns, "DataProcess convert", "none", hostname + "=" + on + " of DataLoad download", "stranded"})
	})

	// What happens to pods and nodes on the way.
	const hold = "podMetadata: {annotations: {" + holdAnnotation + ": 'true'}}"
	byHostname := must{"DataLoad b", hostname, "DataLoad a"}
	running := func(t *testing.T, ns, operation string) corev1.Pod {
		t.Helper()
		name := client.ObjectKey{Namespace: ns, Name: podName(refOfName(ns, operation), 0)}
		var pod corev1.Pod
		c.eventually(t, operation+" runs", func(ctx context.Context) bool {
			return c.Get(ctx, name, &pod) == nil && pod.Status.Phase == corev1.PodRunning && pod.DeletionTimestamp == nil
		})
		return pod
	}
	evict := func(t *testing.T, pod corev1.Pod) {
		t.Helper()
		eviction := &policyv1.Eviction{ObjectMeta: metav1.ObjectMeta{Namespace: pod.Namespace, Name: pod.Name}}
		if err := c.SubResource("eviction").Create(t.Context(), &pod, eviction); err != nil {
			t.Fatal(err)
		}
	}
	replaced := func(t *testing.T, ns string, old corev1.Pod) {
		t.Helper()
		c.eventually(t, old.Name+" is created again", func(ctx context.Context) bool {
			var pod corev1.Pod
			return c.Get(ctx, client.ObjectKeyFromObject(&old), &pod) == nil && pod.UID != old.UID
		})
	}
	scenario("evicted", func(t *testing.T, ns string) {
		c.hold.Store(true)
		defer c.hold.Store(false)
		c.apply(t, data("DataLoad", "a")+data("DataLoad", "b", hold, runAfter("DataLoad", "a", "policy: Require")), ns)
		pod := running(t, ns, "DataLoad b")
		evict(t, pod)
		replaced(t, ns, pod)
		c.hold.Store(false)
		c.completes(t, ns)
		c.check(t, ns, byHostname)
	})
	scenario("evicted-by-kubelet", func(t *testing.T, ns string) {
		c.hold.Store(true)
		defer c.hold.Store(false)
		c.apply(t, data("DataLoad", "a")+data("DataLoad", "b", hold, runAfter("DataLoad", "a", "policy: Require")), ns)
		pod := running(t, ns, "DataLoad b")
		before := pod.DeepCopy()
		pod.Status.Phase, pod.Status.Reason = corev1.PodFailed, "Evicted"
		pod.Status.Conditions = append(pod.Status.Conditions, corev1.PodCondition{Type: corev1.DisruptionTarget, Status: corev1.ConditionTrue, Reason: corev1.PodReasonTerminationByKubelet})
		if err := c.Status().Patch(t.Context(), &pod, client.MergeFrom(before)); err != nil {
			t.Fatal(err)
		}
		replaced(t, ns, pod)
		c.hold.Store(false)
		c.completes(t, ns)
		c.check(t, ns, byHostname)
	})
	scenario("drained", func(t *testing.T, ns string) {
		c.hold.Store(true)
		defer c.hold.Store(false)
		c.apply(t, data("DataLoad", "a")+data("DataLoad", "b", hold, runAfter("DataLoad", "a", "policy: Require")), ns)
		pod := running(t, ns, "DataLoad b")
		node := pod.Spec.NodeName
		c.cordon(t, node, true)
		evict(t, pod)
		replaced(t, ns, pod)
		c.hold.Store(false)
		c.stalls(t, ns, "DataLoad b", reasonUnschedulable, node+", with "+hostname+"="+node+" where DataLoad drained/a ran: cordoned")
		c.cordon(t, node, false)
		c.completes(t, ns)
		c.check(t, ns, byHostname)
	})
	solo := corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "solo", Labels: map[string]string{hostname: "solo", zone: "lonely"}}}
	c.node(t, solo)
	onSolo := "nodeSelector: {" + hostname + ": solo}"
	scenario("vanished", func(t *testing.T, ns string) {
		c.apply(t, data("DataLoad", "a", onSolo), ns)
		c.completes(t, ns)
		if err := c.Delete(t.Context(), solo.DeepCopy()); err != nil {
			t.Fatal(err)
		}
		c.schedulerSees(t, map[string]string{hostname: "solo"}, false)
		c.apply(t, data("DataLoad", "b", runAfter("DataLoad", "a", "policy: Require")), ns)
		c.stalls(t, ns, "DataLoad b", reasonUnschedulable, "No node has "+hostname+"=solo any more, where DataLoad vanished/a ran.")
		c.node(t, solo)
		c.completes(t, ns)
		c.check(t, ns, byHostname)
	})
	scenario("relabelled", func(t *testing.T, ns string) {
		c.apply(t, data("DataLoad", "a", onSolo), ns)
		c.completes(t, ns)
		relabel := func(value string) {
			if err := c.updateNode(t.Context(), "solo", func(node *corev1.Node) { node.Labels[zone] = value }); err != nil {
				t.Fatal(err)
			}
			c.schedulerSees(t, map[string]string{zone: value}, true)
		}
		relabel("elsewhere")
		c.apply(t, data("DataLoad", "b", runAfter("DataLoad", "a", "policy: Require, requires: [{name: "+zone+"}]")), ns)
		c.stalls(t, ns, "DataLoad b", reasonUnschedulable, "No node has "+zone+"=lonely any more, where DataLoad relabelled/a ran.")
		relabel("lonely")
		c.completes(t, ns)
		c.check(t, ns, must{"DataLoad b", zone, "DataLoad a"})
	})
	scenario("succeeded-and-gone", func(t *testing.T, ns string) { // while no controller runs
		c.hold.Store(true)
		defer c.hold.Store(false)
		c.apply(t, data("DataLoad", "a", onSolo, hold), ns)
		pod := running(t, ns, "DataLoad a")
		c.eventually(t, "the controller knows that it runs", func(ctx context.Context) bool { return c.phase(ctx, ns, "a") == dataflow.Executing })
		controller.end(os.Kill)
		c.hold.Store(false)
		c.eventually(t, "it has succeeded", func(ctx context.Context) bool {
			return c.Get(ctx, client.ObjectKeyFromObject(&pod), &pod) == nil && pod.Status.Phase == corev1.PodSucceeded
		})
		for _, o := range []client.Object{&pod, solo.DeepCopy()} {
			if err := c.Delete(t.Context(), o); err != nil {
				t.Fatal(err)
			}
		}
		controller = c.controller()
		c.completes(t, ns)
		c.eventually(t, "its pod is let go", func(ctx context.Context) bool {
			return apierrors.IsNotFound(c.Get(ctx, client.ObjectKeyFromObject(&pod), &corev1.Pod{}))
		})
		op := refOfName(ns, "DataLoad a")
		u := objectOf(op)
		if err := c.Get(t.Context(), client.ObjectKeyFromObject(u), u); err != nil {
			t.Fatal(err)
		}
		if got, _ := decode(u).Observation.Labels.Get(hostname); got != "solo" {
			t.Errorf("it recorded %s", decode(u).Observation.Labels)
		}
		c.rows = append(c.rows, row{ns, "DataLoad a", "solo", "", "recorded"})
		c.node(t, solo)
	})
	for _, resource := range []string{"dataloads", "dataprocesses", "databackups", "pods", "nodes"} {
		scenario("lag-"+resource, func(t *testing.T, ns string) { // of one watch, while a flow is applied again
			flow := func(where string) string {
				return data("DataLoad", "a", "nodeSelector: {"+zone+": "+where+"}") +
					data("DataProcess", "b", runAfter("DataLoad", "a", "policy: Require")) +
					data("DataBackup", "c", runAfter("DataProcess", "b", "policy: Require, dependOn: {kind: DataLoad, name: a}"))
			}
			musts := []must{{"DataProcess b", hostname, "DataLoad a"}, {"DataBackup c", hostname, "DataLoad a"}}
			c.apply(t, flow("east-a"), ns)
			c.completes(t, ns)
			c.held.Store(resource)
			defer c.held.Store("")
			for _, u := range c.operations(t.Context(), ns) {
				if err := c.Delete(t.Context(), &u); err != nil {
					t.Fatal(err)
				}
			}
			c.apply(t, flow("east-b"), ns)
			c.collect(t, ns)
			// The controller does what it can without the watch.
			time.Sleep(2 * time.Second)
			var pods corev1.PodList
			if err := c.List(t.Context(), &pods, client.InNamespace(ns)); err != nil {
				t.Fatal(err)
			}
			ended := map[string]bool{}
			for _, u := range c.operations(t.Context(), ns) {
				ended[string(u.GetUID())] = phaseOf(&u) == dataflow.Complete
			}
			for _, pod := range pods.Items {
				owner := metav1.GetControllerOf(&pod)
				if _, exists := ended[string(owner.UID)]; exists && pod.Spec.NodeName != "" && c.labels[pod.Spec.NodeName][zone] != "east-b" {
					t.Errorf("%s ran on %s, where the flow before ran", pod.Name, pod.Spec.NodeName)
				}
			}
			c.held.Store("")
			c.completes(t, ns)
			c.check(t, ns, musts...)
			c.isIn(t, ns, "DataLoad a", zone, "east-b")
		})
	}
	scenario("foreign", func(t *testing.T, ns string) { // across namespaces
		across := func(policy string) string {
			return "runAfter: {kind: DataLoad, name: a, namespace: zone, affinityStrategy: {" + policy + "}}" // of the scenario zone
		}
		c.apply(t, data("DataLoad", "b", across("policy: Require")), ns)
		c.stalls(t, ns, "DataLoad b", reasonNotAllowed, "DataLoad zone/a does not exist, or its annotation")
		c.noPod(t, ns, "DataLoad b")
		a := objectOf(refOfName("zone", "DataLoad a"))
		if err := c.Patch(t.Context(), a, client.RawPatch(types.MergePatchType, []byte(`{"metadata": {"annotations": {"`+followersAnnotation+`": "foreign"}}}`))); err != nil {
			t.Fatal(err)
		}
		c.completes(t, ns)
		on, with := c.pod(t, ns, "DataLoad b").Spec.NodeName, c.pod(t, "zone", "DataLoad a").Spec.NodeName
		verdict := agreed
		if on != with {
			verdict = disagreed
			t.Errorf("b ran on %s, and zone/a on %s", on, with)
		}
		c.rows = append(c.rows, row{ns, "DataLoad b", on, hostname + "=" + with + " of DataLoad zone/a", verdict})
	})
	scenario("restricted", func(t *testing.T, ns string) { // by the Pod Security Standard
		namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: ns}}
		if err := c.Patch(t.Context(), namespace, client.RawPatch(types.MergePatchType, []byte(`{"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "restricted"}}}`))); err != nil {
			t.Fatal(err)
		}
		c.apply(t, data("DataLoad", "a")+data("DataLoad", "b", runAfter("DataLoad", "a", "policy: Require")), ns)
		c.completes(t, ns)
		c.check(t, ns, byHostname)
	})
	scenario("huge", func(t *testing.T, ns string) { // of one tenant, and a small one of another
		c.apply(t, data("DataMigrate", "m", "parallelism: 2147483647")+data("DataLoad", "a"), ns)
		c.stalls(t, ns, "DataMigrate m", reasonInvalid, "must be at most 1000")
		c.completes(t, ns, "m")
		c.check(t, ns)
	})
	controller.end(syscall.SIGTERM)
	if !controller.ProcessState.Success() {
		t.Errorf("the controller: %s", controller.ProcessState)
	}

	controller = c.controller("--lookahead")
	scenario("not-stranded", func(t *testing.T, ns string) {
		first, _ := chainOf("first-", 1, "", hostname)
		c.apply(t, first, ns)
		c.completes(t, ns) // so that the controller sees download before it sees convert
		c.applyFile(t, fixtures+"stranding.yaml", ns)
		c.completes(t, ns)
		c.check(t, ns, must{"DataProcess convert", hostname, "DataLoad download"})
		c.isOn(t, ns, "DataProcess convert", "gpu-a1", "gpu-b1")
	})
	scenario("restart", func(t *testing.T, ns string) {
		text, must := chainOf("op-", 8, "", hostname, zone)
		c.apply(t, text, ns)
		c.eventually(t, "the second is complete", func(ctx context.Context) bool { return c.phase(ctx, ns, "op-1") == dataflow.Complete })
		controller.end(os.Kill)
		if c.phase(t.Context(), ns, "op-7") == dataflow.Complete {
			t.Error("the controller was killed too late")
		}
		controller = c.controller("--lookahead")
		c.completes(t, ns)
		c.check(t, ns, must...)
	})

	c.avoid.Store(false)
	const chains, length, controls, inPool = 200, 5, 40, "nodeSelector: {pool: many}"
	for i := range 100 {
		name := fmt.Sprintf("node-%d", i)
		c.node(t, corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{
			hostname: name, zone: fmt.Sprintf("zone-%d", i%5), "pool": "many",
		}}})
	}
	scenario("many", func(t *testing.T, ns string) {
		began := time.Now()
		var all []must
		var standby *process
		for i := range chains {
			text, must := chainOf(fmt.Sprintf("chain-%d-", i), length, inPool, hostname, zone)
			c.apply(t, text, ns)
			all = append(all, must...)
			switch i {
			case chains / 3: // two of them at once do no harm
				second := c.controller("--lookahead")
				controller.end(os.Kill)
				controller = second
			case chains / 2:
				controller.end(os.Kill)
				controller = c.controller("--lookahead", "--leader-elect")
				standby = c.controller("--lookahead", "--leader-elect")
			case chains * 2 / 3: // the other one takes over
				controller.end(os.Kill)
				controller = standby
			}
		}
		c.completes(t, ns)
		fmt.Printf("%d chains of %d operations after %s\n", chains, length, time.Since(began).Round(time.Second))
		c.check(t, ns, all...)
		if len(all) != chains*(length-1) {
			t.Errorf("%d had to agree, not %d", len(all), chains*(length-1))
		}
	})
	scenario("control", func(t *testing.T, ns string) { // without a policy, they do not agree
		for i := range controls {
			text, _ := chainOf(fmt.Sprintf("pair-%d-", i), 2, inPool, "")
			c.apply(t, text, ns)
		}
		c.completes(t, ns)
		agree := 0
		for i := range controls {
			name := fmt.Sprintf("DataLoad pair-%d-", i)
			if c.pod(t, ns, name+"0").Spec.NodeName == c.pod(t, ns, name+"1").Spec.NodeName {
				agree++
			}
		}
		fmt.Printf("without a policy, %d of %d pairs ran on the same node\n", agree, controls)
		if agree > controls/2 {
			t.Error("agreement shows nothing if it comes by itself")
		}
	})
	controller.end(syscall.SIGTERM)
	c.remove(t, filepath.Join(os.Getenv(crdsVariable), "data.fluid.io_databackups.yaml"))
	controller = c.controller()
	scenario("three-kinds", demo("demo1-location.yaml", must{"DataLoad load-b", hostname, "DataLoad load-a"})) // of four are installed
	controller.end(syscall.SIGTERM)
	c.checkRights(t)
	c.checkEvents(t)
}

// data is a manifest of an operation, with more of its spec.
func data(kind, name string, spec ...string) string {
	required := map[string]string{
		"DataLoad":    "dataset: {name: phy, namespace: default}",
		"DataMigrate": "from: {dataset: {name: a, namespace: default}}, to: {dataset: {name: b, namespace: default}}",
		"DataProcess": "dataset: {name: phy, namespace: default, mountPath: /data}, processor: {script: {image: busybox, source: 'true'}}",
		"DataBackup":  "dataset: phy, backupPath: 'local:///tmp'",
	}
	return fmt.Sprintf("apiVersion: data.fluid.io/v1alpha1\nkind: %s\nmetadata: {name: %s}\nspec: {%s}\n---\n", kind, name, strings.Join(append(slices.DeleteFunc(spec, func(s string) bool { return s == "" }), required[kind]), ", "))
}

func runAfter(kind, name, strategy string) string {
	return fmt.Sprintf("runAfter: {kind: %s, name: %s, affinityStrategy: {%s}}", kind, name, strategy)
}

const onGPU = "affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [{matchExpressions: [{key: " + instanceType + ", operator: In, values: [GPU]}]}]}}}"

// chainOf is a chain of DataLoads, each of which follows the one before it by the labels in
// turn, or by none where that is empty. The first has more of a spec.
func chainOf(prefix string, length int, spec string, labels ...string) (manifests string, musts []must) {
	manifests = data("DataLoad", prefix+"0", spec)
	for i := 1; i < length; i++ {
		name, predecessor, strategy := fmt.Sprint(prefix, i), fmt.Sprint(prefix, i-1), ""
		if label := labels[i%len(labels)]; label != "" {
			strategy = "policy: Require, requires: [{name: " + label + "}]"
			musts = append(musts, must{"DataLoad " + name, label, "DataLoad " + predecessor})
		}
		manifests += data("DataLoad", name, runAfter("DataLoad", predecessor, strategy))
	}
	return manifests, musts
}

// must says that an operation must run where a label has the value that it has where
// another ran.
type must struct{ operation, label, with string }

// refOfName reads "DataLoad a".
func refOfName(namespace, operation string) dataflow.Ref {
	kind, name, _ := strings.Cut(operation, " ")
	return dataflow.Ref{Kind: dataflow.Kind(kind), Namespace: namespace, Name: name}
}

func (c *cluster) phase(ctx context.Context, namespace, name string) dataflow.Phase {
	u := objectOf(dataflow.Ref{Kind: dataflow.DataLoad, Namespace: namespace, Name: name})
	_ = c.Get(ctx, client.ObjectKeyFromObject(u), u)
	return phaseOf(u)
}

// pod returns the pod, or the first one, of an operation.
func (c *cluster) pod(t *testing.T, namespace, operation string) corev1.Pod {
	t.Helper()
	var pod corev1.Pod
	if err := c.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: podName(refOfName(namespace, operation), 0)}, &pod); err != nil {
		t.Fatal(err)
	}
	return pod
}

func (c *cluster) noPod(t *testing.T, namespace, operation string) {
	t.Helper()
	name := podName(refOfName(namespace, operation), 0)
	if err := c.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: name}, &corev1.Pod{}); client.IgnoreNotFound(err) != nil || err == nil {
		t.Errorf("there is a pod %s, or %v", name, err)
	}
}

func (c *cluster) isOn(t *testing.T, namespace, operation string, nodes ...string) {
	t.Helper()
	if node := c.pod(t, namespace, operation).Spec.NodeName; !slices.Contains(nodes, node) {
		t.Errorf("%s ran on %s, not on %v", operation, node, nodes)
	}
}

func (c *cluster) operations(ctx context.Context, namespace string) []unstructured.Unstructured {
	var all []unstructured.Unstructured
	for _, kind := range dataflow.Kinds() {
		list := listOf(kind)
		if err := c.List(ctx, list, client.InNamespace(namespace)); err != nil && !apierrors.IsNotFound(err) && !meta.IsNoMatchError(err) {
			return nil
		}
		all = append(all, list.Items...)
	}
	return all
}

// completes waits until all operations of a namespace, but for some, are complete.
func (c *cluster) completes(t *testing.T, namespace string, except ...string) {
	t.Helper()
	c.eventually(t, "all operations in "+namespace+" are complete", func(ctx context.Context) bool {
		all := c.operations(ctx, namespace)
		return len(all) > 0 && !slices.ContainsFunc(all, func(u unstructured.Unstructured) bool {
			return phaseOf(&u) != dataflow.Complete && !slices.Contains(except, u.GetName())
		})
	})
}

// check compares where the operations of a namespace ran with where they must have run.
func (c *cluster) check(t *testing.T, namespace string, musts ...must) {
	t.Helper()
	var pods corev1.PodList
	if err := c.List(t.Context(), &pods, client.InNamespace(namespace)); err != nil {
		t.Fatal(err)
	}
	places := map[string]string{}
	for _, pod := range pods.Items {
		places[pod.Name] = pod.Spec.NodeName
	}
	place := func(operation string) string { return places[podName(refOfName(namespace, operation), 0)] }
	checked := 0
	for _, u := range c.operations(t.Context(), namespace) {
		operation := u.GetKind() + " " + u.GetName()
		alone := true
		for _, m := range musts {
			if m.operation != operation {
				continue
			}
			alone = false
			checked++
			want, ok := c.labels[place(m.with)][m.label]
			verdict := agreed
			if got := c.labels[place(operation)][m.label]; !ok || got != want {
				verdict = disagreed
				t.Errorf("%s ran on %s, where %s=%s, and %s on %s, where it is %s", operation, place(operation), m.label, got, m.with, place(m.with), want)
			}
			c.rows = append(c.rows, row{namespace, operation, place(operation), fmt.Sprintf("%s=%s of %s", m.label, want, m.with), verdict})
		}
		if alone {
			c.rows = append(c.rows, row{namespace, operation, cmp.Or(place(operation), "none"), "", ""})
		}
	}
	if checked != len(musts) {
		t.Errorf("%d of %d were looked at", checked, len(musts))
	}
}

// warned waits for an event on an operation.
func (c *cluster) warned(t *testing.T, namespace, operation, reason, note string) {
	t.Helper()
	ref := refOfName(namespace, operation)
	c.eventually(t, reason+" on "+operation, func(ctx context.Context) bool {
		var list eventsv1.EventList
		if err := c.List(ctx, &list, client.InNamespace(namespace)); err != nil {
			return false
		}
		for _, e := range list.Items {
			if e.Regarding.Kind == string(ref.Kind) && e.Regarding.Name == ref.Name && e.Reason == reason && strings.Contains(e.Note, note) {
				c.rows = append(c.rows, row{namespace, operation, "none", e.Note, "event " + e.Reason})
				return true
			}
		}
		return false
	})
}

// stalls waits until an operation has the condition Stalled for a reason.
func (c *cluster) stalls(t *testing.T, namespace, operation, reason, message string) {
	t.Helper()
	u := objectOf(refOfName(namespace, operation))
	var stalled problem
	c.eventually(t, fmt.Sprintf("%s is stalled, %s: …%s…", operation, reason, message), func(ctx context.Context) bool {
		if c.Get(ctx, client.ObjectKeyFromObject(u), u) != nil {
			return false
		}
		s := statusOf(decode(u))
		stalled = s.stalled()
		return stalled.reason == reason && strings.Contains(stalled.message, message)
	})
	c.rows = append(c.rows, row{namespace, operation, "none", stalled.message, "stalled, " + reason})
}

// isIn checks that an operation ran on a node with a label.
func (c *cluster) isIn(t *testing.T, namespace, operation, label, value string) {
	t.Helper()
	if node := c.pod(t, namespace, operation).Spec.NodeName; c.labels[node][label] != value {
		t.Errorf("%s ran on %s, where %s is %q, not %q", operation, node, label, c.labels[node][label], value)
	}
}

// checkEvents finds events that were written again and again.
func (c *cluster) checkEvents(t *testing.T) {
	t.Helper()
	var list eventsv1.EventList
	if err := c.List(t.Context(), &list); err != nil {
		t.Fatal(err)
	}
	const restarts = 6
	total := map[string]int{}
	for _, e := range list.Items {
		if e.ReportingController == "slipstream" {
			n := 1
			if e.Series != nil {
				n = int(e.Series.Count)
			}
			total[fmt.Sprint(e.Regarding.Kind, " ", e.Regarding.Namespace, "/", e.Regarding.Name, " ", e.Reason)] += n
		}
	}
	for key, n := range total {
		if n > 1+restarts {
			t.Errorf("%s was reported %d times", key, n)
		}
	}
}

// row is a line of the table of what ran where: an operation, its node, what it had to
// agree with, and whether it did.
type row struct{ namespace, operation, node, with, verdict string }

const (
	agreed    = "agreed"
	disagreed = "DISAGREED"
)

// printTable prints what ran where. Of a scenario with many operations, it shows the first.
func (c *cluster) printTable() {
	const most, widest = 10, 100
	verdicts, shown := map[string]int{}, map[string]int{}
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "\nSCENARIO\tOPERATION\tNODE\tHAD TO AGREE WITH\tVERDICT")
	for _, r := range c.rows {
		verdicts[r.verdict]++
		shown[r.namespace]++
		with := []rune(cmp.Or(r.with, "-"))
		if len(with) > widest {
			with = append(with[:widest], '…')
		}
		if shown[r.namespace] <= most || r.verdict == disagreed {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", r.namespace, r.operation, r.node, string(with), cmp.Or(r.verdict, "-"))
		} else if shown[r.namespace] == most+1 {
			fmt.Fprintf(w, "%s\t…\t\t\t\n", r.namespace)
		}
	}
	_ = w.Flush()
	fmt.Printf("%d lines: %d had to agree, %d disagreements\n", len(c.rows), verdicts[agreed]+verdicts[disagreed], verdicts[disagreed])
}
