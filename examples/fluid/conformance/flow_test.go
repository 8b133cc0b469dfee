package conformance_test

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	datav1alpha1 "github.com/fluid-cloudnative/fluid/api/v1alpha1"
	"github.com/fluid-cloudnative/fluid/pkg/common"
	dataflowcontroller "github.com/fluid-cloudnative/fluid/pkg/controllers/v1alpha1/dataflow"
	fluiddataflow "github.com/fluid-cloudnative/fluid/pkg/dataflow"
	"github.com/go-logr/logr"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/record"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	fluid "github.com/fluid-cloudnative/slipstream/examples/fluid"

	"github.com/fluid-cloudnative/slipstream/dataflow"
	"github.com/fluid-cloudnative/slipstream/topology"
)

// The defects of Fluid that TestFlowAgreesWithFluid meets.
const (
	u7NoAncestor      = "U7: dependOn names no ancestor, and nothing is said"
	u7Waits           = "U7: what depends on what has not run starts, and fails for ever"
	u7Follows         = "U7: an operation that is no ancestor is followed"
	u10Backup         = "U10: nothing is inherited from a DataBackup"
	beyondDistributed = "beyond: an operation of several pods inherits in Fluid (M8)"
	beyondBlocked     = "beyond: what has failed is waited for (F4)"
)

// step is an operation of a chain, as Fluid has it and as slipstream has it.
type step struct {
	object    client.Object
	operation dataflow.Operation
	seen      dataflow.Observation // what should be known of it
}

// chain is operations of which each runs after one that comes before it. The last has not
// started.
type chain struct {
	steps []step
}

func (c chain) last() *step { return &c.steps[len(c.steps)-1] }

func (c chain) at(ref dataflow.Ref) *step {
	for i := range c.steps {
		if c.steps[i].operation.Ref == ref {
			return &c.steps[i]
		}
	}
	return nil
}

// chain draws a chain and lets it run, as far as the last but one: Fluid's functions record
// where each ran. Each has a name of its own.
func (d *draw) chain() (chain, error) {
	var c chain
	n := 2 + d.IntN(3)
	kindOf := make([]string, n)
	for i := range kindOf {
		kindOf[i] = oneOf(d, kinds...)
	}
	nameOf := func(i int) string { return fmt.Sprintf("op-%d", i) }
	for i := range n {
		var runAfter *datav1alpha1.OperationRef
		if i > 0 {
			before := i - 1
			if d.oneIn(4) {
				before = d.IntN(i)
			}
			runAfter = &datav1alpha1.OperationRef{
				ObjectRef:        datav1alpha1.ObjectRef{Kind: kindOf[before], Name: nameOf(before), Namespace: oneOf(d, "", "default")},
				AffinityStrategy: d.validStrategy(),
			}
			if d.oneIn(2) {
				on := d.IntN(n)
				runAfter.AffinityStrategy.DependOn = &datav1alpha1.ObjectRef{Kind: kindOf[on], Name: nameOf(on)}
			}
		}
		object := operation(kindOf[i], "default", nameOf(i), runAfter, datav1alpha1.OperationStatus{})
		d.specify(object, d.ownOfPods())
		if !d.oneIn(4) {
			object.SetAnnotations(map[string]string{topology.LabelsAnnotation: d.names()})
		}
		op, err := fluid.Operation(object)
		if err != nil {
			return c, err
		}
		c.steps = append(c.steps, step{object: object, operation: op})
		if i < n-1 {
			if err := d.run(c); err != nil {
				return c, err
			}
		}
	}
	return c, nil
}

// validStrategy draws a strategy that New accepts.
func (d *draw) validStrategy() datav1alpha1.AffinityStrategy {
	quiet := draw{d.Uncounted()}
	for {
		s := d.strategy()
		if _, valid := quiet.inspectStrategy(s); valid {
			return s
		}
	}
}

// ownOfPods draws an own affinity that asks for no node, so that only the chain matters.
func (d *draw) ownOfPods() *corev1.Affinity {
	if d.oneIn(2) {
		return nil
	}
	return &corev1.Affinity{PodAntiAffinity: &corev1.PodAntiAffinity{RequiredDuringSchedulingIgnoredDuringExecution: several(d, 1, d.podTerm)}}
}

// specify gives an operation what its kind has: an own affinity, a number of pods, a schedule.
func (d *draw) specify(object client.Object, own *corev1.Affinity) {
	policy := datav1alpha1.Once
	if d.oneIn(4) {
		policy = datav1alpha1.Cron
	}
	switch o := object.(type) {
	case *datav1alpha1.DataLoad:
		o.Spec.Affinity, o.Spec.Policy = own, policy
	case *datav1alpha1.DataMigrate:
		o.Spec.Affinity, o.Spec.Policy = own, policy
		o.Spec.Parallelism = oneOf[int32](d, 1, 1, 3)
	case *datav1alpha1.DataProcess:
		if d.oneIn(2) {
			o.Spec.Processor.Job = &datav1alpha1.JobProcessor{PodSpec: &corev1.PodSpec{Affinity: own}}
		}
	}
}

// run lets the last operation of c run, or not, if what it runs after has. Fluid records where.
func (d *draw) run(c chain) error {
	s := c.last()
	phase := common.PhaseComplete
	if d.oneIn(8) {
		phase = oneOf(d, common.PhaseNone, common.PhasePending, common.PhaseExecuting, common.PhaseFailed)
	}
	if before, ok := s.operation.Predecessor(); ok && c.at(before).seen.Phase != dataflow.Complete {
		phase = common.PhasePending
	}
	s.seen.Phase = dataflow.Phase(phase)
	status := datav1alpha1.OperationStatus{Phase: phase}
	if phase == common.PhaseComplete {
		node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: oneOf(d, nodeNames...), Labels: d.labels()}}
		node.Labels[corev1.LabelHostname] = node.Name
		var err error
		if status.NodeAffinity, err = nodeAffinityByFluid(s.object, node); err != nil {
			return err
		}
		if !s.operation.Distributed && !s.operation.Recurring {
			s.seen.Labels = topology.Expose(node.Labels, s.operation.Exposes...)
		}
	}
	setStatus(s.object, status)
	return nil
}

// nodeAffinityByFluid returns what Fluid's functions and controllers record of an operation
// that is complete. A DataBackup has no Job, and of the Jobs of a schedule nothing is recorded.
func nodeAffinityByFluid(object client.Object, node *corev1.Node) (*corev1.NodeAffinity, error) {
	job := &batchv1.Job{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "job", Labels: map[string]string{}},
		Spec:       batchv1.JobSpec{Selector: &metav1.LabelSelector{}},
		Status:     batchv1.JobStatus{Conditions: []batchv1.JobCondition{{Type: batchv1.JobComplete}}},
	}
	switch o := object.(type) {
	case *datav1alpha1.DataBackup:
		return nil, nil
	case *datav1alpha1.DataLoad:
		if o.Spec.Policy == datav1alpha1.Cron {
			return nil, nil
		}
	case *datav1alpha1.DataMigrate:
		if o.Spec.Policy == datav1alpha1.Cron {
			return nil, nil
		}
		job.Labels["parallelism"] = fmt.Sprint(o.Spec.Parallelism) // as its chart does
	}
	recorded, err := recordByFluid(job, node, fluiddataflow.InjectAffinityAnnotation(object.GetAnnotations(), nil))
	if err != nil {
		return nil, err
	}
	return fluiddataflow.GenerateNodeAffinity(recorded)
}

func setStatus(object client.Object, status datav1alpha1.OperationStatus) {
	switch o := object.(type) {
	case *datav1alpha1.DataLoad:
		o.Status = status
	case *datav1alpha1.DataMigrate:
		o.Status = status
	case *datav1alpha1.DataProcess:
		o.Status = status
	case *datav1alpha1.DataBackup:
		o.Status = status
	}
}

// decidedByFluid is what Fluid does with the last operation of a chain.
type decidedByFluid struct {
	starts   bool     // it waits no longer for its predecessor
	events   []string // that were written about it
	affinity *corev1.Affinity
	err      error // of the injection, which is tried again for ever
}

// decideByFluid lets Fluid's controller of the dataflow see the last operation, and injects.
func decideByFluid(c chain) (decided decidedByFluid, err error) {
	last := c.last()
	waiting := last.object.DeepCopyObject().(client.Object)
	setStatus(waiting, datav1alpha1.OperationStatus{
		Phase: common.PhasePending, WaitingFor: datav1alpha1.WaitingStatus{OperationComplete: ptr.To(true)},
	})
	objects := newCluster(waiting)
	for _, s := range c.steps[:len(c.steps)-1] {
		objects.put(s.object)
	}
	recorder := record.NewFakeRecorder(8)
	key := client.ObjectKeyFromObject(waiting)
	reconciler := dataflowcontroller.NewDataFlowReconciler(objects, logr.Discard(), recorder, 0)
	if _, err := reconciler.Reconcile(context.Background(), reconcile.Request{NamespacedName: key}); err != nil {
		return decided, err
	}
	for len(recorder.Events) > 0 {
		decided.events = append(decided.events, <-recorder.Events)
	}
	decided.starts = !isWaiting(objects.objects[object{reflect.TypeOf(waiting), key}])
	decided.affinity, decided.err = fluiddataflow.InjectAffinityByRunAfterOp(objects, runAfterOf(waiting), "default", last.operation.Affinity.DeepCopy())
	return decided, nil
}

func isWaiting(object client.Object) bool {
	switch o := object.(type) {
	case *datav1alpha1.DataLoad:
		return *o.Status.WaitingFor.OperationComplete
	case *datav1alpha1.DataMigrate:
		return *o.Status.WaitingFor.OperationComplete
	case *datav1alpha1.DataProcess:
		return *o.Status.WaitingFor.OperationComplete
	default:
		return *o.(*datav1alpha1.DataBackup).Status.WaitingFor.OperationComplete
	}
}

func runAfterOf(object client.Object) *datav1alpha1.OperationRef {
	switch o := object.(type) {
	case *datav1alpha1.DataLoad:
		return o.Spec.RunAfter
	case *datav1alpha1.DataMigrate:
		return o.Spec.RunAfter
	case *datav1alpha1.DataProcess:
		return o.Spec.RunAfter
	default:
		return o.(*datav1alpha1.DataBackup).Spec.RunAfter
	}
}

func TestFlowAgreesWithFluid(t *testing.T) {
	compare(t, func(d *draw) error {
		c, err := d.chain()
		if err != nil {
			return disagreement("the chain: " + err.Error())
		}
		theirs, err := decideByFluid(c)
		if err != nil {
			return disagreement("Fluid: " + err.Error())
		}
		flow, decision, err := c.resolve()
		if err != nil {
			return disagreement("slipstream: " + err.Error())
		}
		if wrong := d.judgeFlow(c, flow, theirs, decision); wrong != "" {
			var objects []client.Object
			for _, s := range c.steps {
				objects = append(objects, s.object)
			}
			return disagreement(wrong, objects, theirs.starts, theirs.affinity, text(theirs.err), decision.State, decision.Affinity, decision.Missing)
		}
		return nil
	}, "kind DataLoad", "kind DataMigrate", "kind DataProcess", "kind DataBackup",
		"source: distributed", "source: recurring", "source: further up", "source: none", "policy: Require", "policy: Prefer",
		"state: Ready", "state: Waiting", "state: Blocked", "the same, something inherited", "the same, nothing inherited", "missing labels", "distributed: Fluid inherits",
		u7NoAncestor, u7Waits, u7Follows, u10Backup, beyondDistributed, beyondBlocked)
}

// judgeFlow holds what slipstream says of the last operation against what Fluid does.
func (d *draw) judgeFlow(c chain, flow *dataflow.Flow, theirs decidedByFluid, decision dataflow.Decision) (wrong string) {
	op := &c.last().operation
	before, _ := op.Predecessor()
	follows := op.RunAfter.Strategy.Policy != ""
	d.Hit("kind "+string(op.Ref.Kind), true)
	d.Hit("state: "+string(decision.State), true)
	d.Hit("policy: "+string(op.RunAfter.Strategy.Policy), follows)

	if theirs.starts != (c.at(before).seen.Phase == dataflow.Complete) {
		return "Fluid does not wait for the predecessor"
	}
	for _, event := range theirs.events {
		if !strings.HasPrefix(event, "Normal DataOperationWaiting") {
			return "Fluid says " + event
		}
	}
	blocked := c.isBlocked(op.Ref, map[dataflow.Ref]bool{})
	if (decision.State == dataflow.Blocked) != d.Hit(beyondBlocked, blocked) {
		return "not Blocked by what failed"
	}
	if !theirs.starts {
		return onlyIf("both wait", decision.State != dataflow.Ready && (len(theirs.events) == 1))
	}

	source, inherits := op.Source()
	if d.Hit(beyondDistributed, op.Distributed && follows) {
		if decision.State != dataflow.Ready || !reflect.DeepEqual(decision.Affinity, op.Affinity) {
			return "several pods inherit"
		}
		d.Hit("distributed: Fluid inherits", theirs.err == nil && !reflect.DeepEqual(theirs.affinity, op.Affinity))
		op.Distributed = false // which is how Fluid treats it
		flow, decision, err := c.resolve()
		if err != nil {
			return err.Error()
		}
		return d.judgeFlow(c, flow, theirs, decision)
	}
	d.Hit("source: none", !inherits)
	if !inherits {
		return onlyIf("nothing to follow", decision.State == dataflow.Ready && theirs.err == nil &&
			reflect.DeepEqual(theirs.affinity, op.Affinity) && reflect.DeepEqual(decision.Affinity, op.Affinity))
	}
	isAncestor := slices.ContainsFunc(c.ancestors(), func(s *step) bool { return s.operation.Ref == source })
	said := slices.ContainsFunc(flow.Problems(), func(p dataflow.Problem) bool {
		return p.Operation == op.Ref && p.Code == dataflow.CodeNotAnAncestor
	})
	if d.Hit(u7NoAncestor, !isAncestor) != said {
		return "NotAnAncestor"
	}
	from := c.at(source)
	d.Hit("source: distributed", from.operation.Distributed)
	d.Hit("source: recurring", from.operation.Recurring)
	d.Hit("source: further up", isAncestor && source != before)
	d.Hit("missing labels", len(decision.Missing) > 0)
	if from.seen.Phase != dataflow.Complete {
		d.Hit(u7Waits, true)
		waits := decision.State == dataflow.Waiting && decision.Cause == source
		return onlyIf("what did not run cannot be followed", !isAncestor && (waits || blocked) && theirs.err != nil)
	}
	d.Hit(u7Follows, !isAncestor)
	if decision.State != dataflow.Ready || theirs.err != nil {
		return "not ready"
	}
	if source.Kind == dataflow.DataBackup {
		d.Hit(u10Backup, decision.Inherited.Len() > 0)
		if !reflect.DeepEqual(theirs.affinity, op.Affinity) {
			return u10Backup
		}
		// With the recording that is missing, Fluid does as slipstream.
		status := datav1alpha1.OperationStatus{Phase: common.PhaseComplete, NodeAffinity: from.seen.Labels.NodeAffinity()}
		setStatus(from.object, status)
		recorded, err := decideByFluid(c)
		if err != nil || recorded.err != nil {
			return "with a recording Fluid fails"
		}
		theirs = recorded
	}
	nothing := reflect.DeepEqual(decision.Affinity, op.Affinity)
	d.Hit("the same, nothing inherited", nothing)
	d.Hit("the same, something inherited", !nothing)
	return onlyIf("the same affinity", reflect.DeepEqual(eachOnce(theirs.affinity), decision.Affinity))
}

// resolve returns what slipstream makes of the chain, and says of its last operation.
func (c chain) resolve() (*dataflow.Flow, dataflow.Decision, error) {
	operations, seen := make([]dataflow.Operation, len(c.steps)), map[dataflow.Ref]dataflow.Observation{}
	for i, s := range c.steps {
		operations[i], seen[s.operation.Ref] = s.operation, s.seen
	}
	flow, err := dataflow.New(operations...)
	if err != nil {
		return nil, dataflow.Decision{}, err
	}
	decision, err := flow.Resolve(c.last().operation.Ref, seen)
	return flow, decision, err
}

// ancestors returns what the last operation runs after, directly and through others.
func (c chain) ancestors() (ancestors []*step) {
	for at := c.last(); ; {
		before, ok := at.operation.Predecessor()
		if !ok {
			return ancestors
		}
		at = c.at(before)
		ancestors = append(ancestors, at)
	}
}

// isBlocked is law F4, on an operation that has not started: its predecessor or its source
// failed, or has not started and is itself blocked.
func (c chain) isBlocked(ref dataflow.Ref, visited map[dataflow.Ref]bool) bool {
	s := c.at(ref)
	if visited[ref] || s.seen.Phase == dataflow.Complete || s.seen.Phase == dataflow.Executing {
		return false
	}
	visited[ref] = true
	var waitsFor []dataflow.Ref
	if before, ok := s.operation.Predecessor(); ok {
		waitsFor = append(waitsFor, before)
	}
	if source, ok := s.operation.Source(); ok {
		waitsFor = append(waitsFor, source)
	}
	return slices.ContainsFunc(waitsFor, func(ref dataflow.Ref) bool {
		return c.at(ref).seen.Phase == dataflow.Failed || c.isBlocked(ref, visited)
	})
}

// eachOnce drops requirements that are there twice from what Fluid made without an own
// required part.
func eachOnce(a *corev1.Affinity) *corev1.Affinity {
	if a == nil || a.NodeAffinity == nil || a.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution == nil {
		return a
	}
	a = a.DeepCopy()
	term := &a.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms[0]
	term.MatchExpressions = without(term.MatchExpressions, nil)
	return a
}
