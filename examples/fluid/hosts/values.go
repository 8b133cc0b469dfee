package main

import (
	"strconv"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/fluid-cloudnative/slipstream/dataflow"
)

// values returns values for the chart of a variant, as Fluid's controllers make them: with the
// constraints of a pod spec, which reach a DataProcess that runs a script only as an affinity.
func values(v variant, spec corev1.PodSpec, script bool) map[string]any {
	common := map[string]any{"policy": v.policy, "schedule": "* * * * *", "targetDataset": "dataset", "image": "image"}
	fields, err := runtime.DefaultUnstructuredConverter.ToUnstructured(&spec)
	if err != nil {
		panic(err) // a pod spec has a JSON form
	}
	for _, field := range constraints {
		if fields[field] != nil {
			common[field] = fields[field]
		}
	}
	switch v.kind {
	case dataflow.DataLoad:
		return map[string]any{"dataloader": common}
	case dataflow.DataMigrate:
		pods := 1
		if v.parallel {
			pods = 2
		}
		common["parallelism"] = float64(pods)
		common["parallelOptions"] = map[string]any{"sshReadyTimeoutSeconds": "180", "sshPort": "22", "sshSecretName": "secret" + strconv.Itoa(pods)}
		return map[string]any{"datamigrate": common}
	case dataflow.DataProcess:
		fields["containers"] = []any{map[string]any{"name": "main", "image": "image"}}
		processor := map[string]any{"jobProcessor": map[string]any{"podSpec": fields}}
		if script {
			run := map[string]any{"image": "image"}
			if fields["affinity"] != nil {
				run["affinity"] = fields["affinity"]
			}
			processor = map[string]any{"scriptProcessor": run}
		}
		for key, value := range common {
			processor[key] = value
		}
		return map[string]any{"dataProcess": processor}
	default:
		common["name"], common["nodeName"], common["namespace"] = "backup", "n-1", "default"
		return map[string]any{"dataBackup": common}
	}
}
