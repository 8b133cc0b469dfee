// Command plan shows what a dataflow will do, and every mistake in it, before
// anything runs: from manifests, or from live objects. See -h.
package main

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/fluid-cloudnative/slipstream/dataflow"
	"github.com/fluid-cloudnative/slipstream/dataflow/manifest"
	"github.com/fluid-cloudnative/slipstream/internal/typo"
	"github.com/fluid-cloudnative/slipstream/topology"
)

const usage = `plan shows what a dataflow will do, and every mistake in it, before anything runs.

  plan -f flow.yaml                    what a file says
  plan -f flows/ -f more.yaml          directories and several files
  kubectl get dataloads,datamigrates,dataprocesses,databackups -A -o yaml | plan -f -
                                       what a cluster says
  plan -f flow.yaml --nodes nodes.yaml --ran DataLoad/default/download=gpu-a1
                                       what follows once download ran on gpu-a1

`

const statuses = `
Exit status: 0 if there is no problem of severity Error, 1 if there is one, 2 if the
input could not be read or the flags are wrong. NO_COLOR turns colour off.
`

// The exit statuses.
const (
	sound    = 0
	unsound  = 1
	unusable = 2
)

func main() {
	debug.SetGCPercent(25) // a large input lives until the end: memory is dearer than time
	terminals := terminals{out: isTerminal(os.Stdout) && os.Getenv("NO_COLOR") == "", err: isTerminal(os.Stderr)}
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr, terminals))
}

// terminals says which of the outputs a person is looking at: out may be coloured,
// and progress may be shown on err.
type terminals struct{ out, err bool }

func isTerminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// list is a flag that may be given several times.
type list []string

func (l *list) String() string         { return strings.Join(*l, ",") }
func (l *list) Set(value string) error { *l = append(*l, value); return nil }

// run is the program. It returns the exit status.
func run(args []string, stdin io.Reader, stdout, stderr io.Writer, terminals terminals) int {
	var files, nodes, ran list
	flags := flag.NewFlagSet("plan", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() {
		fmt.Fprint(flags.Output(), usage)
		flags.PrintDefaults()
		fmt.Fprint(flags.Output(), statuses)
	}
	flags.Var(&files, "f", "a `file` of manifests, a directory of them, or - for standard input; may be repeated")
	flags.Var(&nodes, "nodes", "a `file` or directory with the nodes of the cluster; may be repeated")
	flags.Var(&ran, "ran", "`Kind/namespace/name=node`: take the operation for complete on that node; may be repeated")
	format := flags.String("o", "table", "output: table, json, yaml or mermaid")
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return sound
	case err != nil:
		return unusable
	}
	fail := func(err error) int {
		fmt.Fprintln(stderr, "plan:", err)
		return unusable
	}
	print, ok := printers(terminals.out)[*format]
	switch {
	case !ok:
		return fail(fmt.Errorf("-o %s: must be table, json, yaml or mermaid%s", *format, typo.Hint(*format, "table", "json", "yaml", "mermaid")))
	case flags.NArg() > 0:
		return fail(fmt.Errorf("unexpected argument %q: name files with -f", flags.Arg(0)))
	case len(files) == 0:
		return fail(errors.New("nothing to read: name files with -f, or -f - for standard input; -h explains"))
	}

	in := input{stdin: stdin, progress: io.Discard}
	if terminals.err {
		in.progress = stderr
	}
	in.readAll(files)
	in.readAll(nodes)
	seen, err := in.observations(ran)
	if err != nil {
		return fail(err)
	}
	for _, err := range in.unreadable {
		fmt.Fprintln(stderr, "plan:", err)
	}
	r := newReport(&in, seen)
	out := bufio.NewWriterSize(stdout, 1<<16)
	if err := errors.Join(print(out, r), out.Flush()); err != nil {
		return fail(err)
	}
	switch {
	case len(in.unreadable) > 0:
		return unusable
	case r.count(dataflow.Error) > 0:
		return unsound
	}
	return sound
}

// input is what was read of all files.
type input struct {
	stdin    io.Reader
	progress io.Writer

	manifest.Manifests
	faults     []*manifest.FieldError // of operations that could be read otherwise
	unreadable []error
}

// readAll reads files, and what a directory holds of YAML and JSON.
func (in *input) readAll(names []string) {
	var files []string
	for _, name := range names {
		found, err := manifestsIn(name)
		if err != nil {
			in.unreadable = append(in.unreadable, err)
		}
		files = append(files, found...)
	}
	const many = 20
	for i, name := range files {
		if len(files) > many {
			fmt.Fprintf(in.progress, "\rreading %d of %d files", i+1, len(files))
		}
		in.read(name)
	}
	if len(files) > many {
		fmt.Fprintln(in.progress)
	}
}

// manifestsIn returns the file, or the manifests in the directory, of that name.
func manifestsIn(name string) ([]string, error) {
	if name == "-" {
		return []string{name}, nil
	}
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return []string{name}, nil
	}
	var files []string
	err = filepath.WalkDir(name, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() && slices.Contains([]string{".yaml", ".yml", ".json"}, filepath.Ext(path)) {
			files = append(files, path)
		}
		return err
	})
	if err == nil && len(files) == 0 {
		err = fmt.Errorf("%s: no .yaml, .yml or .json file in this directory", name)
	}
	return files, err
}

func (in *input) read(name string) {
	r, shown := in.stdin, "standard input"
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			in.unreadable = append(in.unreadable, err)
			return
		}
		defer f.Close()
		r, shown = f, name
	}
	read, err := manifest.Read(shown, r)
	if in.Operations == nil {
		in.Operations = read.Operations // which may be many
	} else {
		in.Operations = append(in.Operations, read.Operations...)
	}
	in.Nodes = append(in.Nodes, read.Nodes...)
	in.Skipped += read.Skipped
	for _, err := range parts(err) {
		var fault *manifest.FieldError
		if errors.As(err, &fault) && fault.Operation.Name != "" {
			in.faults = append(in.faults, fault)
		} else {
			in.unreadable = append(in.unreadable, err)
		}
	}
	if err == nil && len(read.Operations)+len(read.Nodes)+read.Skipped == 0 {
		in.unreadable = append(in.unreadable, fmt.Errorf("%s: holds no object", shown))
	}
}

// parts returns what errors.Join joined.
func parts(err error) []error {
	if err == nil {
		return nil
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		return joined.Unwrap()
	}
	return []error{err}
}

// observations returns what the operations' statuses say, and what --ran adds.
func (in *input) observations(ran []string) (map[dataflow.Ref]dataflow.Observation, error) {
	seen := map[dataflow.Ref]dataflow.Observation{}
	for i := range in.Operations {
		if o := in.Operations[i].Observation; o.Phase != "" {
			seen[in.Operations[i].Ref] = o
		}
	}
	for _, flag := range ran {
		name, nodeName, _ := strings.Cut(flag, "=")
		words := strings.Split(name, "/")
		if len(words) != 3 || nodeName == "" {
			return nil, fmt.Errorf("--ran %s: must be Kind/namespace/name=node, such as DataLoad/default/download=gpu-a1", flag)
		}
		op, err := in.operation(dataflow.Ref{Kind: dataflow.Kind(words[0]), Namespace: words[1], Name: words[2]})
		if err != nil {
			return nil, fmt.Errorf("--ran %s: %w", flag, err)
		}
		labels, err := in.nodeLabels(nodeName)
		if err != nil {
			return nil, fmt.Errorf("--ran %s: %w", flag, err)
		}
		seen[op.Ref] = dataflow.Observation{Phase: dataflow.Complete, Labels: topology.Expose(labels, op.Exposes...)}
	}
	return seen, nil
}

func (in *input) operation(ref dataflow.Ref) (*manifest.Operation, error) {
	var names []string
	for i := range in.Operations {
		if in.Operations[i].Ref == ref {
			return &in.Operations[i], nil
		}
		names = append(names, in.Operations[i].Ref.String())
	}
	return nil, fmt.Errorf("no %s in the input%s", ref, typo.Hint(ref.String(), names...))
}

func (in *input) nodeLabels(name string) (map[string]string, error) {
	var names []string
	for i := range in.Nodes {
		if in.Nodes[i].Name == name {
			return in.Nodes[i].Labels, nil
		}
		names = append(names, in.Nodes[i].Name)
	}
	if len(names) == 0 {
		return nil, errors.New("no nodes are known: name a file that holds them with --nodes")
	}
	return nil, fmt.Errorf("no node %s%s", name, typo.Hint(name, names...))
}
