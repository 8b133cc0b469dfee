package dataflow_test

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"pgregory.net/rapid"

	"github.com/fluid-cloudnative/slipstream/affinity"
	"github.com/fluid-cloudnative/slipstream/dataflow"
	"github.com/fluid-cloudnative/slipstream/internal/golden"
	"github.com/fluid-cloudnative/slipstream/topology"
)

// hostFacts is what is known of Fluid, written down a second time: for each host, kind, number
// of pods and policy, the longest name, whether pods run, whether the place is recorded, whether
// the pods inherit, and what keeps the operation from completing. A "*" is any policy.
const hostFacts = `
	fluid-1.0   DataLoad     one      Once     46  runs   records  inherits  -
	fluid-1.0   DataLoad     one      Cron     41  runs   -        inherits  -
	fluid-1.0   DataLoad     one      OnEvent  46  -      -        -         Crashes
	fluid-1.0   DataMigrate  one      Once     45  runs   records  inherits  -
	fluid-1.0   DataMigrate  one      Cron     36  runs   -        inherits  if-constrained
	fluid-1.0   DataMigrate  one      OnEvent  45  -      -        -         Crashes
	fluid-1.0   DataMigrate  several  Once     36  runs   -        inherits  -
	fluid-1.0   DataMigrate  several  Cron     36  -      -        -         NeverStarts
	fluid-1.0   DataMigrate  several  OnEvent  45  -      -        -         Crashes
	fluid-1.0   DataProcess  one      *        43  runs   records  inherits  -
	fluid-1.0   DataBackup   one      *        46  runs   -        -         Crashes
	fluid-main  DataLoad     one      Once     46  runs   records  inherits  -
	fluid-main  DataLoad     one      Cron     41  runs   -        inherits  -
	fluid-main  DataLoad     one      OnEvent  46  -      -        -         NeverStarts
	fluid-main  DataMigrate  one      Once     45  runs   records  inherits  -
	fluid-main  DataMigrate  one      Cron     36  runs   -        inherits  if-constrained
	fluid-main  DataMigrate  one      OnEvent  45  -      -        -         NeverStarts
	fluid-main  DataMigrate  several  Once     36  runs   -        inherits  -
	fluid-main  DataMigrate  several  Cron     36  -      -        -         NeverStarts
	fluid-main  DataMigrate  several  OnEvent  45  -      -        -         NeverStarts
	fluid-main  DataProcess  one      Once     43  runs   -        inherits  -
	fluid-main  DataProcess  one      Cron     38  runs   -        inherits  -
	fluid-main  DataProcess  one      OnEvent  43  -      -        -         NeverStarts
	fluid-main  DataBackup   one      *        46  runs   -        -         Crashes
`

var (
	// otherwiseRead matches the names that YAML 1.1 does not read as strings.
	otherwiseRead = regexp.MustCompile(`^(y|n|yes|no|on|off|true|false|null|0b[01]+|0x[0-9a-f]+|0o[0-7]+|[0-9]+(\.[0-9]*)?(e-?[0-9]+)?)$`)

	// startsServices matches the beginnings of names of Services.
	startsServices = regexp.MustCompile(`^[a-z][-a-z0-9]*$`)
)

// hostFact is a line of hostFacts.
type hostFact struct {
	policy                  string
	runs, records, inherits bool
	fails                   string
}

// fluids returns the hosts that are versions of Fluid: all but slipstream's own.
func fluids() []dataflow.Host {
	return slices.DeleteFunc(dataflow.Hosts(), func(h dataflow.Host) bool { return h == dataflow.Slipstream })
}

// factOf looks an operation up in hostFacts.
func factOf(h dataflow.Host, op dataflow.Operation) hostFact {
	policy, pods := "Once", "one"
	if op.Recurring {
		policy = "Cron"
	}
	if op.OnEvent {
		policy = "OnEvent"
	}
	if op.Distributed && op.Ref.Kind == dataflow.DataMigrate {
		pods = "several" // no other kind has them in Fluid
	}
	for _, line := range strings.Split(hostFacts, "\n") {
		words := strings.Fields(line)
		if len(words) == 0 || words[0] != string(h) || words[1] != string(op.Ref.Kind) || words[2] != pods || words[3] != policy && words[3] != "*" {
			continue
		}
		longest, err := strconv.Atoi(words[4])
		if err != nil {
			panic(err)
		}
		switch {
		case op.NoPodSpec:
			return hostFact{policy: words[3], fails: "Crashes"}
		case len(op.Ref.Name) > longest, op.Ref.Kind != dataflow.DataBackup && (words[3] != "OnEvent" || pods == "several") && otherwiseRead.MatchString(op.Ref.Name), pods == "several" && !startsServices.MatchString(op.Ref.Name):
			return hostFact{policy: words[3], fails: "NeverStarts"}
		}
		return hostFact{words[3], words[5] == "runs", words[6] == "records", words[7] == "inherits", words[8]}
	}
	panic(fmt.Sprintf("hostFacts has no line for %+v on %s: add one", op, h))
}

// expected reads hostFacts for a flow: the codes that each operation is reported with.
func expected(h dataflow.Host, operations []dataflow.Operation) map[dataflow.Ref][]dataflow.Code {
	find := func(ref dataflow.Ref, namespace string) *dataflow.Operation {
		ref.Namespace = cmp.Or(ref.Namespace, namespace)
		if i := slices.IndexFunc(operations, func(op dataflow.Operation) bool { return op.Ref == ref }); i >= 0 {
			return &operations[i]
		}
		return nil
	}
	codes := map[dataflow.Ref][]dataflow.Code{}
	for _, op := range operations {
		report := func(code dataflow.Code, when bool) {
			if when {
				codes[op.Ref] = append(codes[op.Ref], code)
			}
		}
		fact := factOf(h, op)
		var predecessor, source *dataflow.Operation
		var keys []string // of the strategy, and exposed by the source if it records them
		required := false
		if op.RunAfter != nil {
			predecessor = find(op.RunAfter.Ref, op.Ref.Namespace)
			if op.RunAfter.Strategy.Policy != affinity.None {
				source = predecessor
				if op.RunAfter.DependOn != nil {
					source = find(*op.RunAfter.DependOn, op.Ref.Namespace)
				}
			}
			required = op.RunAfter.Strategy.Policy == affinity.Require
		}
		if source != nil {
			for _, key := range op.RunAfter.Strategy.Keys() {
				if slices.Contains(append([]string{topology.Hostname, topology.Zone, topology.Region}, source.Exposes...), key) {
					keys = append(keys, key)
				}
			}
		}
		recorded := source != nil && factOf(h, *source).records && len(keys) > 0
		ownRequired := op.Affinity != nil && op.Affinity.NodeAffinity != nil && op.Affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution != nil &&
			op.Affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms != nil
		ownAny := op.Affinity != nil && (op.Affinity.NodeAffinity != nil || op.Affinity.PodAffinity != nil || op.Affinity.PodAntiAffinity != nil)
		constrained := ownAny || len(op.NodeSelector) > 0 || len(op.Tolerations) > 0 || recorded

		// It starts and completes.
		rejected := fact.fails == "if-constrained" && constrained
		report(dataflow.CodeNeverStarts, fact.fails == "NeverStarts" || rejected)
		report(dataflow.CodeCrashes, fact.fails == "Crashes")
		report(dataflow.CodeStaysExecuting, fact.runs && fact.records && slices.ContainsFunc(op.Exposes, func(key string) bool { return key == longKey }))
		report(dataflow.CodeCrashes, op.RunAfter != nil && slices.ContainsFunc(operations, func(other dataflow.Operation) bool {
			return other.RunAfter == nil && other.Ref.Namespace == op.Ref.Namespace && other.Ref.Name == op.Ref.Name
		}))
		isGone := func(of *dataflow.Operation) bool {
			return of != nil && of.TTLSecondsAfterFinished != nil && *of.TTLSecondsAfterFinished == 0 &&
				(factOf(h, *of).policy == "Once" || factOf(h, *of).policy == "*") && factOf(h, *of).fails == "-"
		}
		report(dataflow.CodeNeverStarts, isGone(predecessor))
		report(dataflow.CodeStaysExecuting, isGone(source) && !isGone(predecessor))

		// It inherits what the laws say.
		if source == nil || len(keys) == 0 || !fact.runs || rejected || !factOf(h, *source).runs {
			continue
		}
		byLaw := !op.Distributed && !source.Distributed && !source.Recurring
		injected := fact.inherits && !(required && ownRequired)
		report(dataflow.CodeInheritsNothing, byLaw && !injected)
		report(dataflow.CodeRecordsNothing, byLaw && !recorded)
		apart := required && slices.Contains(keys, topology.Hostname) &&
			op.NodeName != "" && source.NodeName != "" && op.NodeName != source.NodeName
		report(dataflow.CodeNodeNameConflict, !byLaw && injected && recorded && apart)
		report(dataflow.CodeInheritsAnyway, !byLaw && injected && recorded && !apart)
	}
	return codes
}

// longKey is a label key that Fluid cannot record.
var longKey = strings.Repeat("a", 37)

// reported returns the codes that each operation is reported with.
func reported(t require, h dataflow.Host, operations []dataflow.Operation) map[dataflow.Ref][]dataflow.Code {
	flow, err := dataflow.New(operations...)
	if err != nil {
		t.Fatal(err)
	}
	codes := map[dataflow.Ref][]dataflow.Code{}
	for _, p := range flow.HostProblems(h) {
		codes[p.Operation] = append(codes[p.Operation], p.Code)
	}
	return codes
}

// require is a test or a property.
type require interface {
	Helper()
	Fatal(...any)
	Fatalf(string, ...any)
}

// agree fails if HostProblems does not report what hostFacts say.
func agree(t require, h dataflow.Host, operations []dataflow.Operation) {
	t.Helper()
	want, got := expected(h, operations), reported(t, h, operations)
	for _, codes := range []map[dataflow.Ref][]dataflow.Code{want, got} {
		for _, list := range codes {
			slices.Sort(list)
		}
	}
	if !maps.EqualFunc(want, got, slices.Equal) {
		t.Fatalf("on %s, %+v:\n%s", h, operations, gocmp.Diff(want, got))
	}
}

// hostVariants returns one operation of every kind, number of pods and policy.
func hostVariants(name string) (variants []dataflow.Operation) {
	for _, kind := range dataflow.Kinds() {
		for _, distributed := range []bool{false, true} {
			for _, policy := range []string{"Once", "Cron", "OnEvent"} {
				variants = append(variants, dataflow.Operation{
					Ref:         dataflow.Ref{Kind: kind, Namespace: "default", Name: name},
					Distributed: distributed, Recurring: policy == "Cron", OnEvent: policy == "OnEvent",
				})
			}
		}
	}
	return variants
}

var hostAffinities = map[string]*corev1.Affinity{
	"no affinity":       nil,
	"an empty affinity": {},
	"a required one": {NodeAffinity: &corev1.NodeAffinity{RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{
		NodeSelectorTerms: []corev1.NodeSelectorTerm{{MatchExpressions: []corev1.NodeSelectorRequirement{{Key: "gpu", Operator: corev1.NodeSelectorOpExists}}}},
	}}},
	"a required one without terms": {NodeAffinity: &corev1.NodeAffinity{RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{}}},
	"a preferred one":              {NodeAffinity: &corev1.NodeAffinity{}},
	"one to pods":                  {PodAffinity: &corev1.PodAffinity{}},
}

var hostStrategies = map[string]affinity.Strategy{
	"no policy":         {},
	"Require":           {Policy: affinity.Require},
	"Prefer":            {Policy: affinity.Prefer},
	"Require a zone":    {Policy: affinity.Require, Requires: []affinity.RequiredLabel{{Key: topology.Zone}}},
	"not exposed":       {Policy: affinity.Require, Requires: []affinity.RequiredLabel{{Key: "example.com/rack"}}},
	"exposed":           {Policy: affinity.Prefer, Prefers: []affinity.PreferredLabel{{Key: "example.com/disk", Weight: 1}}},
	"exposed, too long": {Policy: affinity.Require, Requires: []affinity.RequiredLabel{{Key: longKey}}},
}

// Every pair of operations, the second after the first.
func TestLawH2PairsOfOperations(t *testing.T) {
	zero, sixty := int32(0), int32(60)
	ttls, nodes := []*int32{nil, &zero, &sixty}, []string{"", "n-1", "n-2"}
	exposes := [][]string{nil, {"example.com/disk"}, {"example.com/disk", longKey}}
	n := 0
	for _, name := range []string{"a", "b"} {
		for _, source := range hostVariants(name) {
			for _, follower := range hostVariants("b") {
				if source.Ref == follower.Ref {
					continue
				}
				for _, own := range slices.Sorted(maps.Keys(hostAffinities)) {
					for _, strategy := range slices.Sorted(maps.Keys(hostStrategies)) {
						// What else there is takes turns.
						if n++; n%scale(3, 17) > 0 {
							continue
						}
						source, follower := source, follower
						source.TTLSecondsAfterFinished = ttls[n%len(ttls)]
						source.NodeName, follower.NodeName = nodes[n%5%len(nodes)], nodes[n%7%len(nodes)]
						source.Exposes, follower.Exposes = exposes[n%4%len(exposes)], exposes[n%11%len(exposes)]
						if n%5 == 0 {
							follower.NodeSelector = map[string]string{"disk": "ssd"}
						}
						if n%7 == 0 {
							follower.Tolerations = []corev1.Toleration{{Operator: corev1.TolerationOpExists}}
						}
						follower.Affinity = hostAffinities[own]
						follower.RunAfter = &dataflow.RunAfter{Ref: source.Ref, Strategy: hostStrategies[strategy]}
						for _, h := range fluids() {
							agree(t, h, []dataflow.Operation{source, follower})
						}
					}
				}
			}
		}
	}
}

// Names up to the longest of every variant, and longer ones.
func TestLawH2Names(t *testing.T) {
	for n := 34; n < 50; n++ {
		for _, name := range []string{strings.Repeat("a", n), strings.Repeat("a", n-2) + ".b", strings.Repeat("1", n), "1" + strings.Repeat("a", n-34), "on"[:1+n%2], "inf", "0xffffffffffffffff"} {
			for _, op := range hostVariants(name) {
				follower := load("b")
				follower.RunAfter = &dataflow.RunAfter{Ref: op.Ref, Strategy: hostStrategies["Require"]}
				for _, h := range fluids() {
					agree(t, h, []dataflow.Operation{op, follower})
				}
			}
		}
	}
}

// Any small flow, with dependOn, equal names, and references that lead out of the flow.
func TestLawH2AnySmallFlow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		operations := rapid.SliceOfNDistinct(rapid.Custom(func(t *rapid.T) dataflow.Operation {
			name := rapid.OneOf(rapid.SampledFrom([]string{"a", "b", "a.b", "1", "1a", "off"}), rapid.Map(rapid.IntRange(34, 48), func(n int) string { return strings.Repeat("a", n) }))
			op := rapid.SampledFrom(hostVariants(name.Draw(t, "name"))).Draw(t, "variant")
			op.Ref.Namespace = rapid.SampledFrom([]string{"", "default", "other"}).Draw(t, "namespace")
			op.Affinity = hostAffinities[rapid.SampledFrom(slices.Sorted(maps.Keys(hostAffinities))).Draw(t, "own")]
			op.Exposes = rapid.SliceOf(rapid.SampledFrom([]string{longKey, "example.com/disk", "not a key"})).Draw(t, "exposes")
			op.NodeName = rapid.SampledFrom([]string{"", "n-1", "n-2"}).Draw(t, "node")
			op.TTLSecondsAfterFinished = rapid.Ptr(rapid.Int32Range(0, 1), true).Draw(t, "ttl")
			op.NoPodSpec = op.Ref.Kind == dataflow.DataProcess && rapid.IntRange(0, 3).Draw(t, "pod spec") == 0
			op.NodeSelector = rapid.MapOfN(rapid.Just("disk"), rapid.Just("ssd"), 0, 1).Draw(t, "selector")
			return op
		}), 0, 5, func(op dataflow.Operation) dataflow.Ref { return op.Ref }).Draw(t, "operations")
		refs := []dataflow.Ref{{Kind: dataflow.DataLoad, Name: "stranger"}}
		for i := range operations {
			if rapid.IntRange(0, 3).Draw(t, "roots") > 0 {
				operations[i].RunAfter = &dataflow.RunAfter{
					Ref:      rapid.SampledFrom(refs).Draw(t, "after"), // an earlier one: no cycles
					Strategy: hostStrategies[rapid.SampledFrom(slices.Sorted(maps.Keys(hostStrategies))).Draw(t, "strategy")],
				}
			}
			refs = append(refs, operations[i].Ref)
		}
		for i := range operations {
			if operations[i].RunAfter != nil && rapid.Bool().Draw(t, "depends") {
				on := rapid.SampledFrom(refs).Draw(t, "on")
				operations[i].RunAfter.DependOn = &on
			}
		}
		if _, err := dataflow.New(operations...); err != nil {
			t.Skip("an empty namespace made a cycle")
		}
		for _, h := range fluids() {
			agree(t, h, operations)
		}
	})
}

// Slipstream carries out everything. What is not a host is said to be none.
func TestLawH2Hosts(t *testing.T) {
	var operations []dataflow.Operation
	for i, op := range hostVariants("x") {
		op.Ref.Name = fmt.Sprint("x-", i)
		operations = append(operations, op)
	}
	flow, err := dataflow.New(operations...)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range []*dataflow.Flow{nil, flow} {
		if got := f.HostProblems(dataflow.Slipstream); got != nil {
			t.Errorf("on slipstream: %v", got)
		}
		for h, hint := range map[dataflow.Host]string{
			"": "", "fluid-1.1": `; typo of "fluid-1.0"?`, dataflow.Host(strings.Repeat("x", 1<<20)): "",
		} {
			got := f.HostProblems(h)
			if len(got) != 1 || got[0].Code != dataflow.CodeInvalid || got[0].Severity != dataflow.SeverityError || got[0].Operation != (dataflow.Ref{}) || got[0].Field != "host" ||
				!strings.HasSuffix(got[0].Message, `must be one of ["slipstream" "fluid-1.0" "fluid-main"]`+hint) || len(got[0].Message) > 4096 {
				t.Errorf("on %.20q: %.200v", h, got)
			}
		}
	}
	for _, h := range dataflow.Hosts() {
		if got := (*dataflow.Flow)(nil).HostProblems(h); got != nil {
			t.Errorf("on %s, a nil flow has problems: %v", h, got)
		}
	}
	if got := flow.HostProblems(dataflow.Fluid1_0); len(got) == 0 {
		t.Error("Fluid carries out everything")
	}
}

// Every row of the table as codes, and every sentence of a report.
func TestLawH1EveryRowReadsWell(t *testing.T) {
	var codes strings.Builder
	sentences := map[string]bool{}
	show := func(h dataflow.Host, what string, operations ...dataflow.Operation) {
		flow, err := dataflow.New(operations...)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&codes, "%s: %s:", h, what)
		for _, p := range flow.HostProblems(h) {
			fmt.Fprintf(&codes, " %s of %s", p.Code, p.Operation.Name)
			sentences[p.String()] = true
		}
		codes.WriteString("\n")
	}
	ofKind := func(kind dataflow.Kind, name string) dataflow.Operation {
		return dataflow.Operation{Ref: dataflow.Ref{Kind: kind, Namespace: "default", Name: name}}
	}
	after := func(op, source dataflow.Operation, strategy string) dataflow.Operation {
		op.RunAfter = &dataflow.RunAfter{Ref: source.Ref, Strategy: hostStrategies[strategy]}
		return op
	}
	a, b, c := ofKind(dataflow.DataLoad, "a"), ofKind(dataflow.DataLoad, "b"), ofKind(dataflow.DataLoad, "c")
	for _, h := range fluids() {
		for _, op := range hostVariants("b") {
			if op.Distributed && op.Ref.Kind != dataflow.DataMigrate {
				continue
			}
			name := string(op.Ref.Kind)
			if op.Distributed {
				name += " of several pods"
			}
			if op.Recurring {
				name += ", Cron"
			}
			if op.OnEvent {
				name += ", OnEvent"
			}
			show(h, name, op)
			show(h, name+", after a", a, after(op, a, "Require"))
			show(h, name+", before c", op, after(c, op, "Require"))
		}
		show(h, "the same name", ofKind(dataflow.DataProcess, "b"), a, after(b, a, "no policy"))

		migrate := ofKind(dataflow.DataMigrate, "b")
		migrate.Recurring, migrate.Affinity = true, hostAffinities["a preferred one"]
		show(h, "a Cron DataMigrate with an affinity", migrate)
		migrate.Affinity, migrate.NodeSelector = nil, map[string]string{"disk": "ssd"}
		show(h, "a Cron DataMigrate with a nodeSelector", migrate)
		migrate.NodeSelector, migrate.Tolerations = nil, []corev1.Toleration{{Operator: corev1.TolerationOpExists}}
		show(h, "a Cron DataMigrate with tolerations", migrate)
		migrate.Tolerations, migrate.Recurring, migrate.Distributed = nil, false, true
		show(h, "several pods that prefer", a, after(migrate, a, "Prefer"))

		own := b
		own.Affinity = hostAffinities["a required one"]
		show(h, "a required affinity of its own", a, after(own, a, "Require"))

		exposing := a
		exposing.Exposes = []string{longKey, longKey + "b", longKey + "c", longKey + "d", longKey + "e"}
		show(h, "keys that are too long", exposing)

		zero := int32(0)
		brief, late := a, after(c, b, "Require")
		brief.TTLSecondsAfterFinished, late.RunAfter.DependOn = &zero, &brief.Ref
		show(h, "a TTL of 0", brief, after(b, brief, "Require"))
		show(h, "a TTL of 0, and dependOn", brief, b, late)

		process, bound := ofKind(dataflow.DataProcess, "a"), ofKind(dataflow.DataProcess, "b")
		process.Recurring, process.NodeName, bound.NodeName = true, "n-1", "n-2"
		show(h, "two nodeNames", process, after(bound, process, "Require"))
		bound.NoPodSpec = true
		show(h, "a job without a podSpec", bound)
		process.Recurring, process.Distributed = false, true
		show(h, "a DataProcess that is said to have several pods", process, after(b, process, "Prefer"))

		for _, op := range hostVariants(strings.Repeat("a", 47)) {
			if !op.OnEvent && (!op.Distributed || op.Ref.Kind == dataflow.DataMigrate) {
				show(h, "a long name", op, after(c, op, "Require"))
			}
		}
		number := ofKind(dataflow.DataLoad, "2024")
		show(h, "a name that is a number", number, after(c, number, "Require"))
		for _, name := range []string{"a.b", "2-models"} {
			several := ofKind(dataflow.DataMigrate, name)
			several.Distributed = true
			show(h, "no name for a Service", several, after(c, several, "Require"))
		}
	}
	golden.Compare(t, *update, "testdata/hosts.golden", []byte(codes.String()+"\n"+strings.Join(slices.Sorted(maps.Keys(sentences)), "\n")+"\n"))
}
