// Command controller runs Fluid's data operations one after the other, each where its
// predecessor's place lets it run. It is a template: small enough to be read, and to be
// made one's own.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/selection"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/config"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/manager/signals"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
)

func main() {
	lookahead := flag.Bool("lookahead", false, "place operations where those that must follow them can run too")
	metrics := flag.String("metrics-bind-address", "127.0.0.1:8080", "where metrics are served; 0 for nowhere")
	flag.Parse() // --kubeconfig is a flag of controller-runtime
	log.SetLogger(zap.New())
	if err := run(signals.SetupSignalHandler(), *lookahead, *metrics); err != nil {
		fmt.Fprintln(os.Stderr, "controller:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, lookahead bool, metrics string) error {
	c, err := config.GetConfig()
	if err != nil {
		return err
	}
	ours, err := labels.NewRequirement(podLabel, selection.Exists, nil)
	if err != nil {
		return err
	}
	m, err := manager.New(c, manager.Options{
		Metrics: metricsserver.Options{BindAddress: metrics},
		Cache: cache.Options{
			ByObject:         map[client.Object]cache.ByObject{&corev1.Pod{}: {Label: labels.NewSelector().Add(*ours)}},
			DefaultTransform: cache.TransformStripManagedFields(),
		},
	})
	if err != nil {
		return err
	}
	if err := Setup(ctx, m, lookahead); err != nil {
		return err
	}
	return m.Start(ctx)
}
