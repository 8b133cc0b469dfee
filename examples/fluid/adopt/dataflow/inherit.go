// Package dataflow holds the functions that the change adds to the package of this name in Fluid.
package dataflow

import (
	"errors"
	"fmt"
	"slices"

	datav1alpha1 "github.com/fluid-cloudnative/fluid/api/v1alpha1"
	v1 "k8s.io/api/core/v1"

	"github.com/fluid-cloudnative/slipstream/affinity"
	"github.com/fluid-cloudnative/slipstream/topology"
)

// Inherit returns own, which may be nil, with what an operation inherits by strategy from the one
// whose status.nodeAffinity is recorded. Labels that were not recorded are left out and listed in
// Missing. The result shares no memory with the arguments. It has no affinity if there is an error:
// recorded is not as Fluid writes it, the strategy is not valid, or own and the labels contradict.
func Inherit(own *v1.Affinity, strategy datav1alpha1.AffinityStrategy, recorded *v1.NodeAffinity) (affinity.Result, error) {
	labels, err := topology.FromNodeAffinity(recorded)
	if err != nil {
		return affinity.Result{}, fmt.Errorf("status.nodeAffinity: %w", err)
	}
	s := affinity.Strategy{Policy: affinity.Policy(strategy.Policy)}
	for _, require := range strategy.Requires {
		s.Requires = append(s.Requires, affinity.RequiredLabel{Key: require.Name})
	}
	for _, prefer := range strategy.Prefers {
		s.Prefers = append(s.Prefers, affinity.PreferredLabel{Key: prefer.Name, Weight: prefer.Weight})
	}
	isMissing := func(key string) bool { _, ok := labels.Get(key); return !ok }
	missing := slices.DeleteFunc(s.Keys(), func(key string) bool { return !isMissing(key) })
	if len(missing) > 0 && len(missing) == len(s.Keys()) { // empty lists would mean the default
		return affinity.Result{Affinity: own.DeepCopy(), Missing: missing}, nil
	}
	s.Requires = slices.DeleteFunc(s.Requires, func(r affinity.RequiredLabel) bool { return isMissing(r.Key) })
	s.Prefers = slices.DeleteFunc(s.Prefers, func(p affinity.PreferredLabel) bool { return isMissing(p.Key) })
	result, err := affinity.Inherit(own, s, labels)
	if a := result.Affinity; err == nil && s.Policy == affinity.Require && len(a.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms) == 0 {
		return affinity.Result{}, errors.New("affinity: nodeSelectorTerms of the required node affinity is empty, which matches no node")
	}
	result.Missing = append(result.Missing, missing...)
	return result, err
}
