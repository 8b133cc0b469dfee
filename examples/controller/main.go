// Command controller runs Fluid's data operations one after the other, each where its
// predecessor's place lets it run. It is a template: small enough to be read, and to be
// changed.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/selection"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/config"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/manager/signals"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/fluid-cloudnative/slipstream/dataflow"
	"github.com/fluid-cloudnative/slipstream/topology"
)

// settings are what the flags say.
type settings struct {
	Options

	expose                  string
	workers                 int
	qps                     float64
	burst                   int
	metrics, probes         string
	leaderElect             bool
	leaderElectionNamespace string
}

func main() {
	var s settings
	flag.BoolVar(&s.Lookahead, "lookahead", false, "place operations where their followers can run too")
	flag.BoolVar(&s.AnyNamespace, "any-namespace", false, "let operations follow those of every namespace; otherwise the annotation "+followersAnnotation+" of the operation that is followed decides")
	flag.StringVar(&s.expose, "expose", "", "label keys of nodes that operations may expose in addition to the built-in three, separated by commas")
	flag.IntVar(&s.MaxParallelism, "max-parallelism", 1000, "the greatest number of pods of one operation")
	flag.IntVar(&s.workers, "workers", 8, "how many flows are looked at at once")
	flag.Float64Var(&s.qps, "kube-api-qps", -1, "calls of the API server in a second; -1 leaves it to the server's priority and fairness")
	flag.IntVar(&s.burst, "kube-api-burst", 0, "calls of the API server at once, if there is a --kube-api-qps")
	flag.StringVar(&s.metrics, "metrics-bind-address", ":8080", "where metrics are served; 0 for nowhere")
	flag.StringVar(&s.probes, "health-probe-bind-address", ":8081", "where /healthz and /readyz are served; 0 for nowhere")
	flag.BoolVar(&s.leaderElect, "leader-elect", false, "work only while holding a lease, of several replicas one at a time")
	flag.StringVar(&s.leaderElectionNamespace, "leader-election-namespace", "", "the namespace of the lease; by default that of the controller's own pod")
	var logging zap.Options
	logging.BindFlags(flag.CommandLine)
	flag.Parse() // --kubeconfig is a flag of controller-runtime
	log.SetLogger(zap.New(zap.UseFlagOptions(&logging)))
	if err := run(signals.SetupSignalHandler(), s); err != nil {
		fmt.Fprintln(os.Stderr, "controller:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, s settings) error {
	var err error
	if s.Expose, err = topology.ParseKeys(s.expose); err != nil {
		return fmt.Errorf("--expose: %w", err)
	}
	c, err := config.GetConfig()
	if err != nil {
		return err
	}
	c.QPS, c.Burst = float32(s.qps), s.burst
	ours, err := labels.NewRequirement(podLabel, selection.Exists, nil)
	if err != nil {
		return err
	}
	// Objects of the cache are not copied when they are read, and must not be written to.
	shared := true
	objects := map[client.Object]cache.ByObject{
		&corev1.Pod{}:  {Label: labels.NewSelector().Add(*ours), UnsafeDisableDeepCopy: &shared, Transform: withoutContainers},
		&corev1.Node{}: {Transform: withoutImages},
	}
	kinds, err := installed(c)
	if err != nil {
		return err
	}
	for _, kind := range kinds {
		objects[objectOf(dataflow.Ref{Kind: kind})] = cache.ByObject{UnsafeDisableDeepCopy: &shared}
	}
	m, err := manager.New(c, manager.Options{
		Cache:                   cache.Options{ByObject: objects, DefaultTransform: withoutManagedFields},
		Metrics:                 metricsserver.Options{BindAddress: s.metrics},
		HealthProbeBindAddress:  s.probes,
		LeaderElection:          s.leaderElect,
		LeaderElectionID:        "slipstream.fluid.io",
		LeaderElectionNamespace: s.leaderElectionNamespace,
		// The process ends when the manager does, so the lease can be given back at once.
		LeaderElectionReleaseOnCancel: true,
	})
	if err != nil {
		return err
	}
	if err := m.AddHealthzCheck("ping", healthz.Ping); err != nil {
		return err
	}
	if err := m.AddReadyzCheck("ping", healthz.Ping); err != nil {
		return err
	}
	if err := Setup(m, kinds, s.Options, s.workers); err != nil {
		return err
	}
	return m.Start(ctx)
}

// withoutManagedFields drops from an object what nobody here reads, before it is cached.
func withoutManagedFields(o any) (any, error) {
	if object, ok := o.(metav1.Object); ok {
		object.SetManagedFields(nil)
	}
	return o, nil
}

// withoutContainers drops from a pod what nobody here reads, before it is cached.
func withoutContainers(o any) (any, error) {
	if pod, ok := o.(*corev1.Pod); ok {
		pod.Spec.Containers, pod.Spec.Volumes, pod.Status.ContainerStatuses = nil, nil, nil
	}
	return withoutManagedFields(o)
}

// withoutImages drops from a node what nobody here reads, before it is cached.
func withoutImages(o any) (any, error) {
	if node, ok := o.(*corev1.Node); ok {
		node.Status.Images, node.Status.Conditions, node.Annotations = nil, nil, nil
	}
	return withoutManagedFields(o)
}
