package main

import (
	_ "embed"
	"go/token"
)

//go:embed dataflow/inherit.go
var inheritSource string

// inherit is the step in which slipstream computes what an operation inherits.
var inherit = step{
	title: "Keep every requirement that a data operation inherits",
	message: `A required node affinity of the operation's own kept the inherited one out:
the expressions were added to a copy of each term. slipstream adds them to
every term, writes to nothing that it is given, and does not panic on a
status without a required part.

Labels that the preceding operation did not record are skipped as before.
An operation whose own affinity excludes every node that it must follow to
does not start; the event DataOperationExecutionFailed names both sides.

The English guide named an annotation that Fluid does not read.`,
	edit: func(dir string) error {
		f := openGo(dir, "pkg/dataflow/affinity.go")
		f.replaceFrom("InjectAffinityByRunAfterOp", "the test for policy Require",
			comparing("runAfter.AffinityStrategy.Policy", token.EQL, "datav1alpha1.RequireAffinityStrategy"),
			`result, err := Inherit(currentAffinity, runAfter.AffinityStrategy, precedingOpStatus.NodeAffinity)
	return result.Affinity, errors.Wrapf(err, "cannot inherit from %s %s/%s", dependOnOp.Kind, precedingOpNamespace, dependOnOp.Name)`)
		f.deleteFunction("injectPreferredAffinity")
		f.deleteFunction("injectRequiredAffinity")
		f.addFunctions(inheritSource)
		f.addImport("", "slices")
		f.addImport("", library+"/affinity")
		f.addImport("", library+"/topology")
		if err := save(f); err != nil {
			return err
		}
		return replaceWord(dir, "docs/en/samples/dataflow_affinity.md", "data-operation.fluid.io/affinity.labels", "affinity.dataflow.fluid.io/labels")
	},
}
