package main

import (
	"github.com/prometheus/client_golang/prometheus"
)

// The controller's own metrics. Those of the queue, of reconciles and of the client are
// controller-runtime's.
var (
	started  = counter("slipstream_operations_started_total", "Operations for which the first pod was created.", "kind")
	finished = counter("slipstream_operations_finished_total", "Operations that are over.", "kind", "phase")
	replaced = counter("slipstream_pods_replaced_total", "Pods that were created again after a disruption.", "kind")
	stalls   = counter("slipstream_operation_stalls_total", "How often an operation could not proceed, by the reason of its condition Stalled.", "reason")
)

func counter(name, help string, labels ...string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
}

// registerMetrics adds the metrics to a registry.
func registerMetrics(r prometheus.Registerer) error {
	for _, c := range []prometheus.Collector{started, finished, replaced, stalls} {
		if err := r.Register(c); err != nil {
			return err
		}
	}
	return nil
}
