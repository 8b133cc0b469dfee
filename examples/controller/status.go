package main

import (
	"cmp"
	"context"
	"encoding/json"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/fluid-cloudnative/slipstream/dataflow"
)

// status is what the controller writes into the status of an operation. The fields are those
// of Fluid's API, which requires the first three.
type status struct {
	Phase        dataflow.Phase       `json:"phase"`
	Duration     string               `json:"duration"`
	Conditions   []metav1.Condition   `json:"conditions"`
	NodeAffinity *corev1.NodeAffinity `json:"nodeAffinity"`
}

// The types of conditions. The first two are Fluid's. Stalled is a convention of
// sigs.k8s.io/cli-utils/pkg/kstatus: something has to change before the operation can proceed.
const (
	conditionComplete = "Complete"
	conditionFailed   = "Failed"
	conditionStalled  = "Stalled"
)

// The reasons of the condition Stalled, and of the warning events that come with it.
const (
	reasonInvalid       = "Invalid"       // the spec is at fault, or the operation is in a cycle
	reasonNotAllowed    = "NotAllowed"    // it names an operation of a namespace that does not allow it
	reasonWaiting       = "Waiting"       // for an operation that does not exist, or cannot run itself
	reasonBlocked       = "Blocked"       // an operation before it failed
	reasonConflict      = "Conflict"      // no node meets its constraints and what it inherits
	reasonFailedCreate  = "FailedCreate"  // a pod could not be created
	reasonUnschedulable = "Unschedulable" // a pod finds no node
)

// statusOf returns the status of an operation. What cannot be read counts as absent.
func statusOf(op *operation) status {
	var s status
	if raw, ok := op.object.Object["status"].(map[string]any); ok {
		_ = runtime.DefaultUnstructuredConverter.FromUnstructured(raw, &s)
	}
	return s
}

// stalled returns the reason and the message of the condition Stalled, if it is true.
func (s *status) stalled() problem {
	if c := meta.FindStatusCondition(s.Conditions, conditionStalled); c != nil && c.Status == metav1.ConditionTrue {
		return problem{c.Reason, c.Message}
	}
	return problem{}
}

// problem is why an operation cannot proceed. The zero value means that it can.
type problem struct{ reason, message string }

// setStalled sets the condition Stalled. No condition is added if there is no problem.
func (s *status) setStalled(p problem) {
	const longest = 1000 // bytes of a message; the API server accepts 1024 in an event
	if len(p.message) > longest {
		p.message = strings.ToValidUTF8(p.message[:longest], "") + " …"
	}
	if p != (problem{}) {
		meta.SetStatusCondition(&s.Conditions, metav1.Condition{Type: conditionStalled, Status: metav1.ConditionTrue, Reason: p.reason, Message: p.message})
	} else if s.stalled() != p {
		meta.SetStatusCondition(&s.Conditions, metav1.Condition{Type: conditionStalled, Status: metav1.ConditionFalse, Reason: "Proceeds"})
	}
}

// finish sets the phase and the condition of an operation that has ended.
func (s *status) finish(phase dataflow.Phase, message string, created time.Time) {
	s.Phase = phase
	s.Duration = max(0, time.Since(created)).Round(time.Second).String() // a clock can be wrong
	s.setStalled(problem{})
	meta.SetStatusCondition(&s.Conditions, metav1.Condition{Type: string(phase), Status: metav1.ConditionTrue, Reason: "Pods" + string(phase), Message: message})
}

// write writes the status of an operation if it is another one than before. It does not write
// on top of another version than the decision rests on: then the decision is made again.
// written is false if nothing was written.
func (p *pass) write(ctx context.Context, op *operation, s status) (written bool, err error) {
	before := statusOf(op)
	if equality.Semantic.DeepEqual(before, s) {
		return false, nil
	}
	s.Phase = cmp.Or(s.Phase, dataflow.Pending)
	s.Duration = cmp.Or(s.Duration, "Unfinished")
	if s.Conditions == nil {
		s.Conditions = []metav1.Condition{}
	}
	patch, err := json.Marshal(map[string]any{
		"metadata": map[string]any{"resourceVersion": op.object.GetResourceVersion()},
		"status":   s,
	})
	if err != nil {
		return false, err
	}
	p.calls--
	err = p.API.Status().Patch(ctx, objectOf(op.Ref), client.RawPatch(types.MergePatchType, patch))
	switch {
	case apierrors.IsConflict(err):
		p.retry(retryConflict)
		return false, nil
	case apierrors.IsNotFound(err):
		return false, nil
	case err != nil:
		return false, err
	}
	logger := log.FromContext(ctx).WithValues("operation", op.Ref.String())
	if now := s.stalled(); now != (problem{}) && now != before.stalled() {
		p.warn(op, nil, now.reason, now.message)
		p.metrics.stalled.WithLabelValues(now.reason).Inc()
		logger.Info("operation is stalled", "reason", now.reason, "message", now.message)
	}
	if s.Phase != before.Phase {
		logger.Info("phase changed", "phase", s.Phase)
		if s.Phase == dataflow.Complete || s.Phase == dataflow.Failed {
			p.metrics.ended.WithLabelValues(string(op.Ref.Kind), string(s.Phase)).Inc()
		}
	}
	return true, nil
}
