package manifest

import (
	"maps"
	"slices"
	"strings"

	"github.com/fluid-cloudnative/slipstream/affinity"
	"github.com/fluid-cloudnative/slipstream/dataflow"
	"github.com/fluid-cloudnative/slipstream/dataflow/manifest/internal/strict"
	"github.com/fluid-cloudnative/slipstream/internal/typo"
)

// The shapes of Fluid's objects: the fields that v1.0.8 or the main branch has.
var (
	rootShape = strict.Open("apiVersion kind metadata spec status", "metadata spec status")
	specs     = map[dataflow.Kind]*strict.Shape{
		dataflow.DataLoad:    strict.Closed("affinity dataset loadMetadata nodeSelector options podMetadata policy resources runAfter schedule schedulerName target tolerations ttlSecondsAfterFinished"),
		dataflow.DataMigrate: strict.Closed("affinity block from image imagePullPolicy imageTag nodeSelector options parallelOptions parallelism podMetadata policy resources runAfter runtimeType schedule schedulerName to tolerations ttlSecondsAfterFinished"),
		dataflow.DataProcess: strict.Closed("dataset policy processor runAfter schedule ttlSecondsAfterFinished"),
		dataflow.DataBackup:  strict.Closed("backupPath dataset runAfter runAs ttlSecondsAfterFinished"),
	}
	runAfterShape    = strict.Closed("kind name namespace apiVersion affinityStrategy")
	dependOnShape    = strict.Closed("kind name namespace apiVersion")
	podMetadataShape = strict.Closed("annotations labels")
	processorShape   = strict.Closed("job podMetadata script serviceAccountName")
	jobShape         = strict.Closed("podSpec")
	scriptShape      = strict.Closed("command env image imagePullPolicy imageTag resources restartPolicy source volumeMounts volumes")
)

// The other kinds of Fluid's group in v1.0.8 or the main branch.
var otherKinds = strings.Fields("AlluxioRuntime CacheRuntime CacheRuntimeClass Dataset EFCRuntime GooseFSRuntime JindoRuntime JuiceFSRuntime ThinRuntime ThinRuntimeProfile VineyardRuntime")

// The shapes of Kubernetes' objects, as of v1.37.
var (
	metadataShape = strict.Open("annotations clusterName creationTimestamp deletionGracePeriodSeconds deletionTimestamp finalizers generateName generation labels managedFields name namespace ownerReferences resourceVersion selfLink uid",
		"name generateName namespace annotations labels")
	podSpecShape = strict.Open("activeDeadlineSeconds affinity automountServiceAccountToken containers dnsConfig dnsPolicy enableServiceLinks ephemeralContainers evictionResponders hostAliases hostIPC hostNetwork hostPID hostUsers hostname hostnameOverride "+
		"imagePullSecrets initContainers nodeName nodeSelector os overhead preemptionPolicy priority priorityClassName readinessGates resourceClaims resources restartPolicy runtimeClassName schedulerName schedulingGates schedulingGroup securityContext "+
		"serviceAccount serviceAccountName setHostnameAsFQDN shareProcessNamespace subdomain terminationGracePeriodSeconds tolerations topologySpreadConstraints volumes workloadRef",
		"affinity nodeSelector tolerations nodeName containers initContainers overhead resources")
	containerShape = strict.Open("args command env envFrom image imagePullPolicy lifecycle livenessProbe name ports readinessProbe resizePolicy resources restartPolicy restartPolicyRules securityContext startupProbe stdin stdinOnce "+
		"terminationMessagePath terminationMessagePolicy tty volumeDevices volumeMounts workingDir", "resources restartPolicy")
	resourcesShape = strict.Closed("requests limits claims")
)

// explain says what to do about a field that an object of a shape does not have: where the kind
// has it, or which field it misspells.
func explain(kind dataflow.Kind) func(s *strict.Shape, name string, value any) (detail string, ok bool) {
	homes := homesOf(kind)
	return func(s *strict.Shape, name string, value any) (string, bool) {
		homes["policy"] = homeOfPolicy(kind, s, value)
		home, isMisplaced := homes[name]
		meant, isSimilar := s.Nearest(name)
		switch {
		case (s == specs[kind] || s == rootShape) && slices.Contains([]string{"after", "dependOn", "depends", "dependsOn", "runsAfter"}, name):
			return "to run after another operation, write spec.runAfter; to inherit from another one than that, spec.runAfter.affinityStrategy.dependOn", true
		case isMisplaced && home != "":
			return "it belongs in " + home, true
		case isMisplaced:
			return "a " + string(kind) + " has none", true
		case s == specs[kind] && meant == "policy" && homes[meant] != "spec.policy":
			meant = homes[meant]
		case !isSimilar && (s == specs[kind] || s == runAfterShape):
			meant, isSimilar = typo.Nearest(name, slices.Sorted(maps.Keys(homes))...)
			meant = homes[meant]
		}
		return `typo of "` + meant + `"?`, isSimilar && meant != ""
	}
}

// strategy is the path of what an operation inherits.
const strategy = "spec.runAfter.affinityStrategy"

// The values of spec.policy.
const (
	once    = "Once"
	cron    = "Cron"
	onEvent = "OnEvent"
)

// homeOfPolicy returns where a policy with a value belongs that an object of a shape does not
// have: a strategy has one, and so have the specs of some kinds. It is "" if the kind has none.
func homeOfPolicy(kind dataflow.Kind, s *strict.Shape, value any) string {
	text, _ := value.(string)
	meant, isSimilar := typo.Nearest(text, string(affinity.Require), string(affinity.Prefer), once, cron, onEvent)
	switch {
	case !isSimilar && s == specs[kind]:
		return ""
	case !isSimilar, isStrategy(meant):
		return strategy + ".policy"
	case kind == dataflow.DataBackup:
		return ""
	}
	return "spec.policy"
}

// isStrategy reports whether a value is one of the policies of a strategy.
func isStrategy(value string) bool {
	return value == string(affinity.Require) || value == string(affinity.Prefer)
}

// homesOf returns where a kind has fields that are often put in the wrong place: "" for those that
// only other kinds have.
func homesOf(kind dataflow.Kind) map[string]string {
	homes := map[string]string{
		"runAfter": "spec.runAfter", "affinityStrategy": strategy,
		"dependOn": strategy + ".dependOn", "requires": strategy + ".requires", "prefers": strategy + ".prefers",
		"annotations": "metadata.annotations", "labels": "metadata.labels",
		"nodeName": "", "podSpec": "", "template": "", "job": "", "script": "", "parallelism": "",
	}
	at, placement := "spec.", []string{"affinity", "nodeSelector", "tolerations", "schedulerName", "resources", "podMetadata"}
	switch kind {
	case dataflow.DataMigrate:
		homes["parallelism"] = "spec.parallelism"
	case dataflow.DataProcess:
		at, placement = "spec.processor.job.podSpec.", append(placement, "nodeName")
		homes["podSpec"], homes["template"] = "spec.processor.job.podSpec", "spec.processor.job.podSpec"
		homes["job"], homes["script"] = "spec.processor.job", "spec.processor.script"
	}
	for _, name := range placement {
		if homes[name] = at + name; kind == dataflow.DataBackup {
			homes[name] = ""
		}
	}
	if kind == dataflow.DataProcess {
		homes["podMetadata"], homes["resources"] = "spec.processor.podMetadata", "spec.processor.script, or in the containers of spec.processor.job.podSpec"
	}
	return homes
}
