package fluid_test

import (
	"errors"
	"strings"
	"testing"

	datav1alpha1 "github.com/fluid-cloudnative/fluid/api/v1alpha1"
	"github.com/fluid-cloudnative/fluid/pkg/common"
	"github.com/fluid-cloudnative/fluid/pkg/dataflow"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/controller-runtime/pkg/client"

	fluid "github.com/fluid-cloudnative/slipstream/examples/fluid"

	"github.com/fluid-cloudnative/slipstream/affinity"
	"github.com/fluid-cloudnative/slipstream/topology"
)

var recordedLabels = map[string]string{topology.Hostname: "node-1", topology.Zone: "east-a", "example.com/rack": "r7"}

// What Fluid's own tests cover, and what else decides what is inherited from where. Fluid's
// function is asked as well: here they do the same.
func TestInjectAffinityByRunAfterOp(t *testing.T) {
	elsewhere := map[string]string{topology.Hostname: "node-2"}
	failed := loaded("default", "failed", recordedLabels)
	failed.Status.Phase = common.PhaseFailed
	nowhere := loaded("default", "nowhere", nil)
	objects := []client.Object{
		loaded("default", "before", recordedLabels), loaded("other", "before", elsewhere),
		loaded("default", "earlier", elsewhere), failed, nowhere,
	}
	for _, kind := range []client.Object{
		&datav1alpha1.DataMigrate{Status: loaded("", "", map[string]string{topology.Hostname: "of-the-migrate"}).Status},
		&datav1alpha1.DataProcess{Status: loaded("", "", map[string]string{topology.Hostname: "of-the-process"}).Status},
		&datav1alpha1.DataBackup{Status: loaded("", "", map[string]string{topology.Hostname: "of-the-backup"}).Status},
	} {
		kind.SetNamespace("default")
		kind.SetName("before")
		objects = append(objects, kind)
	}
	of := func(kind string) *datav1alpha1.OperationRef {
		ref := after("before", requiring())
		ref.Kind = kind
		return ref
	}
	dependingOn := func(r *datav1alpha1.OperationRef, on datav1alpha1.ObjectRef) *datav1alpha1.OperationRef {
		r.AffinityStrategy.DependOn = &on
		return r
	}
	gpu := in("example.com/gpu", "a100")
	antiAffinity := &corev1.PodAntiAffinity{RequiredDuringSchedulingIgnoredDuringExecution: []corev1.PodAffinityTerm{{
		TopologyKey: topology.Hostname, LabelSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "load"}},
	}}}

	tests := map[string]struct {
		runAfter *datav1alpha1.OperationRef
		own      *corev1.Affinity
		want     *corev1.Affinity
		fails    bool
	}{
		"no runAfter, nothing own":         {nil, nil, nil, false},
		"no runAfter":                      {nil, required(gpu), required(gpu), false},
		"no policy":                        {after("before", datav1alpha1.AffinityStrategy{}), nil, nil, false},
		"no policy, nobody there":          {after("nobody", datav1alpha1.AffinityStrategy{}), required(gpu), required(gpu), false},
		"Prefer what is not exposed":       {after("before", preferring(10, "example.com/disk")), nil, nil, false},
		"Require what is not exposed":      {after("before", requiring("example.com/disk")), nil, nil, false},
		"nobody there":                     {after("nobody", requiring()), nil, nil, true},
		"Require the node":                 {after("before", requiring()), nil, required(in(topology.Hostname, "node-1")), false},
		"Require a label of one's own":     {after("before", requiring("example.com/rack")), nil, required(in("example.com/rack", "r7")), false},
		"Require two, of them one exposed": {after("before", requiring("example.com/disk", topology.Zone)), nil, required(in(topology.Zone, "east-a")), false},
		"Require two, in their order":      {after("before", requiring(topology.Zone, topology.Hostname)), nil, required(in(topology.Zone, "east-a"), in(topology.Hostname, "node-1")), false},
		"Prefer the node":                  {after("before", datav1alpha1.AffinityStrategy{Policy: datav1alpha1.PreferAffinityStrategy}), nil, preferred(100, in(topology.Hostname, "node-1")), false},
		"Prefer the zone":                  {after("before", preferring(10, topology.Zone)), nil, preferred(10, in(topology.Zone, "east-a")), false},
		"depend on an earlier one":         {dependingOn(after("before", requiring()), load("earlier")), nil, required(in(topology.Hostname, "node-2")), false},
		"depend on one in a namespace":     {dependingOn(after("before", requiring()), datav1alpha1.ObjectRef{Kind: "DataLoad", Namespace: "other", Name: "before"}), nil, required(in(topology.Hostname, "node-2")), false},
		"not complete":                     {after("failed", requiring()), nil, nil, true},
		"another namespace":                {&datav1alpha1.OperationRef{ObjectRef: datav1alpha1.ObjectRef{Kind: "DataLoad", Namespace: "other", Name: "before"}, AffinityStrategy: requiring()}, nil, required(in(topology.Hostname, "node-2")), false},
		"a namespace where nobody is":      {&datav1alpha1.OperationRef{ObjectRef: datav1alpha1.ObjectRef{Kind: "DataLoad", Namespace: "third", Name: "before"}, AffinityStrategy: requiring()}, nil, nil, true},
		"nothing recorded":                 {after("nowhere", requiring()), required(gpu), required(gpu), false},
		"after a DataMigrate":              {of("DataMigrate"), nil, required(in(topology.Hostname, "of-the-migrate")), false},
		"after a DataProcess":              {of("DataProcess"), nil, required(in(topology.Hostname, "of-the-process")), false},
		"after a DataBackup that recorded": {of("DataBackup"), nil, required(in(topology.Hostname, "of-the-backup")), false},
		"after another kind":               {of("Job"), nil, nil, true},
		"Require, with pod anti-affinity":  {after("before", requiring()), &corev1.Affinity{PodAntiAffinity: antiAffinity}, &corev1.Affinity{NodeAffinity: required(in(topology.Hostname, "node-1")).NodeAffinity, PodAntiAffinity: antiAffinity}, false},
		"Prefer, with a requirement": {after("before", preferring(10, topology.Zone)), required(gpu), &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{
			RequiredDuringSchedulingIgnoredDuringExecution:  required(gpu).NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution,
			PreferredDuringSchedulingIgnoredDuringExecution: preferred(10, in(topology.Zone, "east-a")).NodeAffinity.PreferredDuringSchedulingIgnoredDuringExecution,
		}}, false},
	}
	c := cluster(t, objects...)
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			theirs, theirErr := dataflow.InjectAffinityByRunAfterOp(c, test.runAfter.DeepCopy(), "default", test.own.DeepCopy())
			got, err := fluid.InjectAffinityByRunAfterOp(c, test.runAfter, "default", test.own)
			if (err != nil) != test.fails || (theirErr != nil) != test.fails {
				t.Fatalf("err = %v, and Fluid's is %v", err, theirErr)
			}
			same(t, "affinity", test.want, got)
			if !test.fails {
				same(t, "Fluid's affinity", test.want, theirs)
			}
		})
	}
}

// What a person reads in the event that Fluid writes for an error.
func TestErrorsOfInherit(t *testing.T) {
	strange := loaded("default", "strange", nil)
	strange.Status.NodeAffinity = required(in(topology.Zone, "a", "b")).NodeAffinity
	pending := loaded("default", "pending", nil)
	pending.Status.Phase = common.PhasePending
	c := cluster(t, loaded("default", "before", recordedLabels), strange, pending)
	tests := map[string]struct {
		runAfter *datav1alpha1.OperationRef
		own      *corev1.Affinity
		isIt     func(error) bool
		says     string
	}{
		"nobody there": {after("nobody", requiring()), nil, apierrors.IsNotFound, `"nobody" not found`},
		"not complete": {after("pending", requiring()), nil, nil, `cannot follow DataLoad default/pending: its phase is "Pending", not "Complete"`},
		"an unknown policy": {after("before", datav1alpha1.AffinityStrategy{Policy: "require"}), nil, isFieldError("affinityStrategy.policy"),
			`typo of "Require"?`},
		"a weight out of bounds": {after("before", preferring(101, topology.Zone)), nil, isFieldError("affinityStrategy.prefers[0].weight"), "must be between 1 and 100, inclusive"},
		"a malformed label key":  {after("before", requiring("not a key")), nil, isFieldError("affinityStrategy.requires[0].name"), "not a label key"},
		"a status not Fluid's": {after("strange", requiring()), nil, isFieldError("requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0].matchExpressions[0].values"),
			"cannot follow DataLoad default/strange: its status.nodeAffinity: "},
		"a conflict": {after("before", requiring(topology.Zone)), required(in(topology.Zone, "west-c")), isConflict,
			"cannot follow DataLoad default/before: it ran where topology.kubernetes.io/zone=east-a, but affinity requires topology.kubernetes.io/zone In [west-c]"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			result, err := fluid.Inherit(c, test.runAfter, "default", test.own)
			if err == nil {
				t.Fatal("no error")
			}
			if test.isIt != nil && !test.isIt(err) {
				t.Errorf("of another kind: %v", err)
			}
			if !strings.Contains(err.Error(), test.says) {
				t.Errorf("it does not say %q: %v", test.says, err)
			}
			same(t, "result", affinity.Result{}, result)
		})
	}
}

func isFieldError(path string) func(error) bool {
	return func(err error) bool {
		var fault *field.Error
		return errors.As(err, &fault) && fault.Field == path
	}
}

func isConflict(err error) bool {
	var conflict *affinity.ConflictError
	return errors.As(err, &conflict)
}
