package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apiresource "k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"
	podresources "k8s.io/component-helpers/resource"

	"github.com/fluid-cloudnative/slipstream/dataflow"
	"github.com/fluid-cloudnative/slipstream/dataflow/manifest"
	"github.com/fluid-cloudnative/slipstream/examples/plan/internal/source"
	"github.com/fluid-cloudnative/slipstream/internal/message"
	"github.com/fluid-cloudnative/slipstream/internal/typo"
	"github.com/fluid-cloudnative/slipstream/topology"
)

// input is what was read from all sources.
type input struct {
	stdin     io.Reader
	progress  *progress
	namespace string // of objects that name none
	only      string // the namespace that is read; empty: all

	operations []entry
	nodes      []corev1.Node
	deleting   []source.Field                 // of nodes, the first deletion timestamps
	used       map[string]corev1.ResourceList // by node name, what the running pods request
	running    map[string]string              // by namespace and Helm release, the node of a running pod
	skipped    int                            // objects of other kinds
	pods       int                            // in the files of pods
	others     int                            // in the files of pods, objects of other kinds

	nodesAmong, podsAmong int // in the files of operations

	faults   []*source.Fault // outside operations
	warnings []*source.Fault // what the report does without
	notes    []string        // what is no problem
	lost     bool            // objects may be missing: nothing is concluded from their absence
	unnamed  bool            // the name of an operation was misread: nothing is concluded from the absence of one
	refused  bool            // a document could not be read, or kubectl refuses it

	forecasts bool                // nodes were named or read
	index     *dataflow.NodeIndex // nil without nodes
}

// entry is an operation of the input.
type entry struct {
	*manifest.Operation
	object *source.Object
	faults []fault
}

// fault is a fault in an operation.
type fault struct {
	problem dataflow.Problem
	at      *source.Position // nil: the position of the field
}

// stdinFile takes the place of the name of a file in positions.
const stdinFile = "standard input"

// read reads files, directories and standard input, and gives each object to accept.
func (in *input) read(paths []string, accept func(*source.Object)) { in.readBeside(paths, nil, accept) }

// readBeside reads files as read does, but not those among others, which have been read: nodes in
// the files of operations count as well.
func (in *input) readBeside(paths, others []string, accept func(*source.Object)) {
	files, faults := source.Find(paths...)
	for _, fault := range faults {
		in.fault(fault)
	}
	known, _ := source.Find(others...)
	all, _ := source.Find(slices.Concat(known, files)...)
	for _, file := range all[len(known):] {
		in.readFile(file, accept)
	}
}

func (in *input) readFile(file string, accept func(*source.Object)) {
	name, r := stdinFile, in.stdin
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			in.fault(&source.Fault{Position: source.Position{File: file}, Lost: true, Err: err})
			return
		}
		defer f.Close()
		name, r = file, f
	}
	in.progress.stage("reading %s", name)
	objects := 0
	for object, err := range source.Read(name, r) {
		objects++
		in.progress.step("reading %s: %d objects", name, objects)
		if err == nil {
			accept(object)
			continue
		}
		var fault *source.Fault
		errors.As(err, &fault)
		in.fault(fault)
	}
}

// mayExist reports whether an operation that was not read may exist.
func (in *input) mayExist(ref dataflow.Ref) bool {
	return in.lost || in.unnamed || in.only != "" && ref.Namespace != in.only
}

// fault keeps a fault that is in no operation.
func (in *input) fault(f *source.Fault) {
	in.faults = append(in.faults, f)
	in.lost = in.lost || f.Lost
	if _, _, ok := fieldOf(f.Err); !ok {
		in.refused = true
	}
}

// accept takes an object from the files of operations.
func (in *input) accept(o *source.Object) {
	op, err := manifest.Decode(o.Object)
	var other *manifest.KindError
	switch {
	case !errors.As(err, &other):
		in.operation(op, o, err)
	case other.Fault != nil:
		in.lost = true
		in.faults = append(in.faults, o.Faults...)
		at := source.Locate(source.Field{Object: o, Path: other.Fault.Err.Field})[0]
		in.faults = append(in.faults, &source.Fault{Position: at, Lost: true, Err: other})
	case other.Operation.Kind == "Node" && other.APIVersion == "v1":
		in.nodesAmong++
		in.acceptNode(o)
	case other.Operation.Kind == "Pod" && other.APIVersion == "v1":
		in.podsAmong++
		in.skipped++
	default:
		in.skipped++
	}
}

func (in *input) operation(op *manifest.Operation, o *source.Object, err error) {
	op.Ref.Namespace = cmp.Or(op.Ref.Namespace, in.namespace, "default")
	e := entry{Operation: op, object: o}
	for _, f := range o.Faults {
		code, field := dataflow.Code(codeUnreadable), ""
		message := f.Err.Error()
		if path, fieldMessage, ok := fieldOf(f.Err); ok {
			field, message = path, fieldMessage
			if isDuplicate(f.Err) {
				code = dataflow.CodeDuplicate
			} else {
				in.refused = true
			}
		}
		in.unnamed = in.unnamed || f.Lost
		e.faults = append(e.faults, fault{dataflow.Problem{Code: code, Severity: dataflow.SeverityError, Operation: op.Ref, Field: field, Message: message}, &f.Position})
		op.Faulty = true
	}
	for _, err := range dataflow.Faults(err) {
		var f *manifest.Fault
		var more *manifest.OmittedError
		switch {
		case errors.As(err, &f):
			e.faults = append(e.faults, fault{f.Problem(op.Ref), nil})
			in.unnamed = in.unnamed || misnames(f.Problem(op.Ref))
		case errors.As(err, &more):
			e.faults = append(e.faults, omitted(op.Ref, more.Count))
		}
	}
	in.operations = append(in.operations, e)
}

// isDuplicate reports whether a fault is a repeated field. kubectl refuses a document with any other
// one that has a path.
func isDuplicate(err error) bool {
	var f *field.Error
	return errors.As(err, &f) && f.Type == field.ErrorTypeDuplicate
}

// misnames reports whether a fault of an operation may hide its name or its namespace.
func misnames(p dataflow.Problem) bool {
	key, below := strings.CutPrefix(p.Field, "metadata.")
	switch {
	case !below:
		return p.Field == "metadata"
	case p.Code == dataflow.CodeUnknownField:
		_, resembles := typo.Nearest(key, "name", "namespace", "generateName")
		return resembles
	default:
		return (key == "name" || key == "namespace" || key == "generateName") && p.Code == dataflow.CodeInvalid
	}
}

func omitted(ref dataflow.Ref, count int) fault {
	return fault{dataflow.Problem{
		Code: codeUnreadable, Severity: dataflow.SeverityError, Operation: ref, Message: fmt.Sprintf("%d more faults are not listed", count),
	}, nil}
}

const deletionTimestamp = "metadata.deletionTimestamp"

// acceptNode takes an object from the files of nodes.
func (in *input) acceptNode(o *source.Object) {
	in.acceptTyped(o, "Node", func(object map[string]any) error {
		var node corev1.Node
		err := runtime.DefaultUnstructuredConverter.FromUnstructured(object, &node)
		in.nodes = append(in.nodes, node)
		if node.DeletionTimestamp != nil && len(in.deleting) < placesListed {
			in.deleting = append(in.deleting, source.Field{Object: o, Path: deletionTimestamp})
		}
		return err
	})
}

// acceptPod takes an object from the files of pods. Pods that are not on a node, or are done,
// use nothing.
func (in *input) acceptPod(o *source.Object) {
	skipped := in.skipped
	defer func() { in.others += in.skipped - skipped }()
	in.acceptTyped(o, "Pod", func(object map[string]any) error {
		in.pods++
		var pod corev1.Pod
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object, &pod); err != nil {
			return err
		}
		if pod.Spec.NodeName == "" || pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed {
			return nil
		}
		if name := pod.Labels["release"]; name != "" {
			in.running[pod.Namespace+"/"+name] = pod.Spec.NodeName
		}
		used := in.used[pod.Spec.NodeName]
		if used == nil {
			used = corev1.ResourceList{}
			in.used[pod.Spec.NodeName] = used
		}
		requests := podresources.PodRequests(&pod, podresources.PodResourcesOptions{UseStatusResources: true})
		requests[corev1.ResourcePods] = *apiresource.NewQuantity(1, apiresource.DecimalSI)
		for name, quantity := range requests {
			unit := apiresource.Scale(0)
			if name == corev1.ResourceCPU {
				unit = apiresource.Milli
			}
			quantity.RoundUp(unit) // as kube-scheduler does for each pod
			sum := used[name]
			sum.Add(quantity)
			used[name] = sum
		}
		return nil
	})
}

// acceptTyped takes an object of one kind of v1, and passes over others.
func (in *input) acceptTyped(o *source.Object, kind string, convert func(map[string]any) error) {
	if o.Object["apiVersion"] != "v1" || o.Object["kind"] != kind {
		in.skipped++
		return
	}
	for _, f := range o.Faults {
		in.fault(f)
	}
	if err := convert(o.Object); err != nil {
		at := source.Locate(source.Field{Object: o})[0]
		in.fault(&source.Fault{Position: at, Lost: true, Err: fmt.Errorf("not a %s: %w", kind, err)})
	}
}

// name gives names to the operations that an API server will name: no other operation can
// refer to them.
func (in *input) name() {
	taken := make(map[string]bool, len(in.operations))
	for i := range in.operations {
		taken[in.operations[i].Ref.Name] = true
	}
	next := map[string]int{}
	for i := range in.operations {
		op := in.operations[i].Operation
		if op.Ref.Name != "" || op.GenerateName == "" {
			continue
		}
		for op.Ref.Name == "" || taken[op.Ref.Name] {
			next[op.GenerateName]++
			op.Ref.Name = fmt.Sprintf("%s%05d", op.GenerateName, next[op.GenerateName])
		}
		taken[op.Ref.Name] = true
		for f := range in.operations[i].faults {
			in.operations[i].faults[f].problem.Operation = op.Ref
		}
	}
}

// release returns the name of the Helm release that Fluid makes for an operation, which is the
// label "release" of its pods. It is empty for a DataBackup, whose pod has no such label.
func release(ref dataflow.Ref) string {
	switch ref.Kind {
	case dataflow.DataLoad:
		return ref.Name + "-loader"
	case dataflow.DataMigrate:
		return ref.Name + "-migrate"
	case dataflow.DataProcess:
		return ref.Name + "-processor"
	default:
		return ""
	}
}

// observe returns the observations of the operations' statuses and of the flag --ran.
func (in *input) observe(ran []string) (map[dataflow.Ref]dataflow.Observation, error) {
	byHostname, byName := map[string]string{}, map[string]map[string]string{}
	for i := range in.nodes {
		byName[in.nodes[i].Name] = in.nodes[i].Labels
		if hostname, ok := in.nodes[i].Labels[topology.Hostname]; ok {
			byHostname[hostname] = in.nodes[i].Name
		}
	}
	seen, operations := map[dataflow.Ref]dataflow.Observation{}, map[dataflow.Ref]*manifest.Operation{}
	for i := range in.operations {
		op := in.operations[i].Operation
		operations[op.Ref] = op
		if o := op.Observation; o.Phase != "" {
			if hostname, ok := o.Labels.Get(topology.Hostname); ok {
				o.Node = cmp.Or(byHostname[hostname], hostname)
			}
			if o.Phase == dataflow.Executing { // else it would be placed beside its own pod
				o.Node = cmp.Or(o.Node, in.running[op.Ref.Namespace+"/"+release(op.Ref)])
			}
			seen[op.Ref] = o
		}
	}
	assumed := map[dataflow.Ref]string{}
	for _, flag := range ran {
		name, node, _ := strings.Cut(flag, "=")
		words := strings.Split(name, "/")
		if len(words) != 3 || node == "" {
			return nil, fmt.Errorf("--ran %q: must be Kind/namespace/name=node, such as DataLoad/default/download=gpu-a1", flag)
		}
		ref := dataflow.Ref{Kind: dataflow.Kind(words[0]), Namespace: words[1], Name: words[2]}
		op, ok := operations[ref]
		if !ok {
			return nil, fmt.Errorf("--ran %q: the input has no %s%s", flag, ref, typo.Hint(ref.String(), refNames(operations)...))
		}
		labels, ok := byName[node]
		if !ok && len(in.nodes) == 0 {
			return nil, fmt.Errorf("--ran %q: no nodes are known; name a file of nodes with --nodes", flag)
		} else if !ok {
			return nil, fmt.Errorf("--ran %q: no node %q%s", flag, node, typo.Hint(node, nodeNames(in.nodes)...))
		}
		if other, again := assumed[ref]; again {
			return nil, fmt.Errorf("--ran %q: the operation ran on %q already; it runs on one node", flag, other)
		}
		assumed[ref] = node
		seen[ref] = dataflow.Observation{Phase: dataflow.Complete, Labels: topology.Expose(labels, op.Exposes...), Node: node}
	}
	return seen, nil
}

func refNames(operations map[dataflow.Ref]*manifest.Operation) []string {
	var names []string
	for ref := range operations {
		names = append(names, ref.String())
	}
	slices.Sort(names)
	return names
}

func nodeNames(nodes []corev1.Node) []string {
	var names []string
	for i := range nodes {
		names = append(names, nodes[i].Name)
	}
	return names
}

// firstOf names the first of the files, or the cluster.
func firstOf(files []string) source.Position {
	switch {
	case len(files) == 0:
		return source.Position{File: clusterFile}
	case files[0] == "-":
		return source.Position{File: stdinFile}
	}
	return source.Position{File: files[0]}
}

// notUsed is a note on objects that a flag would use.
func notUsed(n int, kind, flag string) string {
	return fmt.Sprintf("%s in the input %s not used; name the file with %s", count(n, kind), be(n), flag)
}

func be(n int) string {
	if n == 1 {
		return "is"
	}
	return "are"
}

// describeDeleting names the nodes that are being deleted.
func (in *input) describeDeleting() string {
	var names []string
	for i := range in.nodes {
		if in.nodes[i].DeletionTimestamp != nil {
			names = append(names, message.Printable(in.nodes[i].Name))
		}
	}
	list := message.List(len(names), func(i int) string { return names[i] }, ", ", 1000)
	return fmt.Sprintf("%d of %s %s being deleted: %s; the forecast counts them, as kube-scheduler does, but a pod does not run there for long; leave them out, or read the nodes again when they are gone",
		len(names), count(len(in.nodes), "node"), be(len(names)), list)
}

// finish checks that there is something to report, notes what is not used, and indexes the nodes.
func (in *input) finish(o *options) {
	unused := in.nodesAmong > 0 && !in.forecasts && len(o.ran) == 0
	switch {
	case in.only == "" && len(in.operations)+len(in.faults) == 0 && in.skipped+len(in.nodes) > 0:
		message := "the input has no DataLoad, DataMigrate, DataProcess or DataBackup"
		if unused {
			message += fmt.Sprintf("; it holds %s; did you mean --nodes?", count(in.nodesAmong, "Node"))
		} else if in.podsAmong > 0 {
			message += fmt.Sprintf("; it holds %s; did you mean --pods?", count(in.podsAmong, "Pod"))
		}
		in.fault(&source.Fault{Position: firstOf(o.files), Lost: true, Err: errors.New(message)})
	default:
		if unused {
			in.notes = append(in.notes, notUsed(in.nodesAmong, "Node", "--nodes"))
		}
		if in.podsAmong > 0 && in.pods == 0 {
			in.notes = append(in.notes, notUsed(in.podsAmong, "Pod", "--pods"))
		}
	}
	if unused {
		in.nodes, in.skipped = nil, in.skipped+in.nodesAmong
	}
	if in.pods == 0 && in.others > 0 {
		in.fault(&source.Fault{Position: firstOf(o.pods), Lost: true, Err: errors.New("--pods: no Pod in there")})
	}
	if !in.forecasts {
		return
	}
	in.progress.stage("indexing %s", count(len(in.nodes), "node"))
	if len(in.nodes) == 0 {
		in.fault(&source.Fault{Position: firstOf(o.nodes), Lost: true, Err: errors.New("--nodes: no Node in there")})
		return
	}
	index, err := dataflow.IndexNodes(in.nodes, in.used)
	for _, err := range dataflow.Faults(err) {
		in.fault(&source.Fault{Position: firstOf(o.nodes), Lost: true, Err: err})
	}
	if err == nil {
		in.index = index
	}
}
