package main

// check is the step with events for mistakes in specs.
var check = step{
	title: "Warn of data operations that cannot run where they say",
	message: `An operation could depend on one outside of its dataflow, have a policy that
does not exist, weights that an API server rejects and lists that its policy
does not read, or name a node and require another one: it failed later or
did something else, without a word.

When an operation starts, dataset-controller now records the warning
DataOperationMisconfigured for each of these. The operation starts as before.`,
	edit: func(dir string) error {
		operations := openGo(dir, "pkg/controllers/v1alpha1/dataflow/operations.go")
		operations.atEnd("recordWarnings", `for _, mistake := range mistakes(ctx, op, faults, result.Inherited) {
		warn(common.DataOperationMisconfigured, mistake)
	}`)
		constants := openGo(dir, "pkg/common/constants.go")
		constants.afterConstant("DataOperationAffinityConflict", `DataOperationMisconfigured = "DataOperationMisconfigured"`)
		operations.addFunctions(checkSource)
		operations.addImport("", "strings")
		operations.addImport("slipstream", library+"/dataflow")
		operations.addImport("", library+"/topology")
		if err := save(operations, constants); err != nil {
			return err
		}
		if err := appendText(dir, "docs/en/samples/dataflow_affinity.md", checkGuide); err != nil {
			return err
		}
		return appendText(dir, "docs/zh/samples/dataflow_affinity.md", checkGuideChinese)
	},
}

const checkSource = `package dataflow

// mistakes tells for which faults an operation does not run where its spec says.
func mistakes(ctx reconcileRequestContext, op *manifest.Operation, faults error, inherited topology.LabelSet) (messages []string) {
	operations, complete := precedingOperations(ctx, op.Operation)
	problems := slipstream.Check(operations...)
	for _, fault := range slipstream.Faults(faults) {
		if f := (*manifest.Fault)(nil); errors.As(fault, &f) {
			problems = append(problems, f.Problem(op.Ref))
		}
	}
	for _, p := range problems {
		switch {
		case p.Operation != op.Ref:
		case p.Code == slipstream.CodeUnknownField, p.Code == slipstream.CodeNotExposed: // of a newer API; told as DataOperationAffinityLost
		case !complete && (p.Code == slipstream.CodeNotAnAncestor || p.Code == slipstream.CodeUnknownPredecessor):
		default:
			messages = append(messages, fmt.Sprintf("%s: %s: %s", p.Code, p.Field, p.Message))
		}
	}
	host, required := inherited.Get(topology.Hostname)
	if required && op.NodeName != "" && op.NodeName != host && op.RunAfter.Strategy.Policy == affinity.Require {
		messages = append(messages, fmt.Sprintf("nodeName is %q, but the affinity requires the node with hostname %q: remove nodeName", op.NodeName, host))
	}
	return messages
}

// precedingOperations returns op and the operations that it runs after, directly or through
// others, and whether all of them still exist.
func precedingOperations(ctx reconcileRequestContext, op slipstream.Operation) (operations []slipstream.Operation, complete bool) {
	seen := map[slipstream.Ref]bool{}
	for {
		operations, seen[op.Ref] = append(operations, op), true
		ref, ok := op.Predecessor()
		if !ok || seen[ref] {
			return operations, true
		}
		kind, ok := reconcileKinds[strings.ToLower(string(ref.Kind))]
		if !ok {
			return operations, false
		}
		object := kind.DeepCopyObject().(client.Object)
		err := ctx.Client.Get(ctx, client.ObjectKey{Namespace: ref.Namespace, Name: ref.Name}, object)
		preceding, _ := decode(object)
		if err != nil || preceding == nil {
			return operations, false
		}
		op = preceding.Operation
	}
}
`

const checkGuide = `
## Notes

- When a data operation starts, Fluid records these warnings as events on it: ` + "`DataOperationAffinityLost`" + ` (the preceding operation did not record a label: add it to the annotation ` + "`affinity.dataflow.fluid.io/labels`" + `, or switch on the feature gate ` + "`DataflowAffinity`" + `), ` + "`DataOperationAffinityConflict`" + ` (no node meets both what is inherited and the node selector or affinity of the operation) and ` + "`DataOperationMisconfigured`" + ` (a field cannot have the effect that it states).
- After an upgrade, policy ` + "`Require`" + ` also holds for an operation with a required node affinity of its own, for which it was ignored before. If no node meets both, the operation does not run.
`

const checkGuideChinese = `
## 说明

- 数据操作开始执行时，Fluid 会在该操作上以事件的形式记录警告：` + "`DataOperationAffinityLost`" + `（前置操作没有记录某个标签：请将该标签加入注解 ` + "`affinity.dataflow.fluid.io/labels`" + `，或者打开特性开关 ` + "`DataflowAffinity`" + `）、` + "`DataOperationAffinityConflict`" + `（没有节点能同时满足继承的亲和性与操作自身的节点选择器或亲和性）以及 ` + "`DataOperationMisconfigured`" + `（某个字段无法产生它所声明的效果）。
- 升级之后，对于自身设置了必需节点亲和性的操作，` + "`Require`" + ` 策略也会生效，此前则会被忽略。如果没有节点能同时满足两者，该操作不会运行。
`
