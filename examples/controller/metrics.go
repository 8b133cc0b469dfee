package main

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are the controller's own. Those of the queue, of reconciles and of the client are
// controller-runtime's.
type metrics struct{ started, ended, replaced, stalled *prometheus.CounterVec }

// newMetrics adds the metrics to a registry.
func newMetrics(r prometheus.Registerer) (metrics, error) {
	var errs []error
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		c := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
		errs = append(errs, r.Register(c))
		return c
	}
	return metrics{
		started:  counter("slipstream_operations_started_total", "Operations whose pods were created.", "kind"),
		ended:    counter("slipstream_operations_ended_total", "Operations that completed or failed.", "kind", "phase"),
		replaced: counter("slipstream_pods_replaced_total", "Pods that were created again after a disruption.", "kind"),
		stalled:  counter("slipstream_operations_stalled_total", "How often the condition Stalled of an operation got a reason or message.", "reason"),
	}, errors.Join(errs...)
}
