package main

// process is the step that lets a DataProcess record its place.
var process = step{
	title: "Let a DataProcess record where it ran if its spec says so",
	message: `A DataProcess is a generic operation, and where it ran means something only to
its author, so that it does not record its place (PR 5969). With
spec.recordAffinity it does, as the other operations do: behind the feature
gate DataflowAffinity. Fluid v1.0 records it always: a DataProcess that others
inherit from needs the field after an upgrade, as in the example of the guide.

The tests of the package did not start, because BeforeSuite had a timeout as a
number, which Ginkgo v2 rejects.`,
	edit: func(dir string) error {
		types := openGo(dir, "api/v1alpha1/dataprocess_types.go")
		types.addField("DataProcessSpec", `
	// RecordAffinity says that operations after this one can inherit the labels of the node that it ran on
	// +optional
	RecordAffinity bool `+"`json:\"recordAffinity,omitempty\"`")

		generated := openGo(dir, "api/v1alpha1/openapi_generated.go")
		generated.addToMap("schema_fluid_cloudnative_fluid_api_v1alpha1_DataProcessSpec", "Properties", `"recordAffinity": {
						SchemaProps: spec.SchemaProps{
							Description: "RecordAffinity says that operations after this one can inherit the labels of the node that it ran on",
							Type:        []string{"boolean"},
							Format:      "",
						},
					},`)

		handler := openGo(dir, controllers+"/dataprocess/status_handler.go")
		const status = "OnceStatusHandler.GetOperationStatus"
		if !handler.narrow(status, "result.NodeAffinity == nil", "object.Spec.RecordAffinity") {
			handler.before(status, "the condition of the Job", declaring("jobCondition"), `if object.Spec.RecordAffinity && result.NodeAffinity == nil && isJobSucceed {
		result.NodeAffinity, err = dataflow.GenerateNodeAffinity(job)
		if err != nil {
			return nil, errors.Wrap(err, "failed to read the labels of the node of the Job")
		}
	}`)
			handler.addImport("", "github.com/fluid-cloudnative/fluid/pkg/dataflow")
			handler.addImport("", "github.com/pkg/errors")
		}
		suite := openGo(dir, controllers+"/dataprocess/suite_test.go")
		suite.dropArguments("BeforeSuite")
		if err := save(types, generated, handler, suite); err != nil {
			return err
		}
		for _, folder := range []string{"config/crd/bases", "charts/fluid/fluid/crds"} {
			if err := beforeKey(dir, folder+"/data.fluid.io_dataprocesses.yaml", "              runAfter:", `              recordAffinity:
                type: boolean
`); err != nil {
				return err
			}
		}
		for _, language := range []string{"en", "zh"} { // the example of the guide inherits from this DataProcess
			const runAfter = "  runAfter:\n    kind: DataProcess\n    name: step1-download-model\n"
			if err := replaceWord(dir, "docs/"+language+"/samples/dataflow_affinity.md", runAfter, "  recordAffinity: true\n"+runAfter); err != nil {
				return err
			}
		}
		if err := appendText(dir, "docs/en/samples/dataflow_affinity.md", "- A DataProcess records where it ran, for operations after it, only with `spec.recordAffinity: true`.\n"); err != nil {
			return err
		}
		return appendText(dir, "docs/zh/samples/dataflow_affinity.md", "- DataProcess 只有在设置了 `spec.recordAffinity: true` 时，才会记录其运行节点的标签，供后续操作继承。\n")
	},
}
