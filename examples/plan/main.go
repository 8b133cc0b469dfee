// Command plan shows what a dataflow will do, and every mistake in it, before anything runs:
// from files, or from live objects. See -h.
package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/fluid-cloudnative/slipstream/dataflow"
	"github.com/fluid-cloudnative/slipstream/internal/typo"
)

const usage = `plan shows what a dataflow will do, and every mistake in it, before anything runs.

Usage:
  plan [flags] [FILE|DIR|-]…

Examples:
  plan flow.yaml                       what a file says
  plan flows/ more.yaml                directories and several files
  kubectl get dataloads,datamigrates,dataprocesses,databackups -A -o yaml | plan -
                                       what a cluster says
  plan flow.yaml --nodes nodes.yaml --pods pods.yaml
                                       where each operation can run such that all others
                                       can, and where it would strand them
  plan flow.yaml --nodes nodes.yaml --ran DataLoad/default/download=gpu-a1
                                       what follows once download ran on gpu-a1
  plan flow.yaml --host fluid-main     what Fluid's main branch does not carry out
  plan flow.yaml -o github --fail-on warning
                                       in a GitHub workflow

Flags:
`

const statuses = `
Exit status: 0 if there is no problem at or above --fail-on, 1 if there is one, 2 if the
input or the flags could not be read. NO_COLOR, or TERM=dumb, turns colour off.
`

// version is the version of the program's output and flags.
const version = "2"

// The exit statuses.
const (
	sound    = 0
	unsound  = 1
	unusable = 2
)

func main() {
	debug.SetMemoryLimit(1600 << 20) // from there on, less memory matters more than less time
	dumb := os.Getenv("NO_COLOR") != "" || os.Getenv("TERM") == "dumb"
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr, isTerminal(os.Stdout) && !dumb))
}

func isTerminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// options are the flags.
type options struct {
	files, nodes, pods, ran  []string
	namespace, host, format  string
	failOn                   string
	ignore                   []string
	quiet, version, help     bool
	extendedResourceTolerate bool
}

func (o *options) flags() *pflag.FlagSet {
	flags := pflag.NewFlagSet("plan", pflag.ContinueOnError)
	flags.SortFlags = false
	flags.StringArrayVarP(&o.files, "filename", "f", nil, "a `file` of manifests, a directory of them, or - for standard input; the same as an argument")
	flags.StringArrayVar(&o.nodes, "nodes", nil, "a `file` or directory with the nodes of the cluster, for a forecast")
	flags.StringArrayVar(&o.pods, "pods", nil, "a `file` or directory with the pods of the cluster: what they request is not free")
	flags.StringArrayVar(&o.ran, "ran", nil, "assume that an operation completed on a node: `Kind/namespace/name=node`")
	flags.BoolVar(&o.extendedResourceTolerate, "extended-resource-toleration", false, "count the tolerations that the admission plugin ExtendedResourceToleration adds")
	flags.StringVar(&o.host, "host", string(dataflow.Fluid1_0), "the system that runs the flow: "+strings.Join(hosts(), ", "))
	flags.StringVarP(&o.namespace, "namespace", "n", "default", "the `namespace` of objects that name none")
	flags.StringVarP(&o.format, "output", "o", "table", "the form of the output: "+strings.Join(formats(), ", "))
	flags.StringVar(&o.failOn, "fail-on", "error", "exit with status 1 on: error, warning, never")
	flags.StringArrayVar(&o.ignore, "ignore", nil, "do not report problems with this `code`")
	flags.BoolVarP(&o.quiet, "quiet", "q", false, "print problems only, and nothing if there are none")
	flags.BoolVar(&o.version, "version", false, "print the version")
	flags.BoolVarP(&o.help, "help", "h", false, "print this help")
	flags.SetOutput(io.Discard) // errors are printed like all others
	flags.Usage = func() {}
	return flags
}

func hosts() []string {
	var names []string
	for _, h := range dataflow.Hosts() {
		names = append(names, string(h))
	}
	return names
}

func formats() []string { return slices.Sorted(maps.Keys(printers(options{}, false))) }

// check returns what is wrong with the flags.
func (o *options) check() error {
	accepted := func(flag, value string, values []string) error {
		if slices.Contains(values, value) {
			return nil
		}
		return fmt.Errorf("%s %q: must be one of %s%s", flag, value, strings.Join(values, ", "), hint(value, values))
	}
	err := errors.Join(
		accepted("--host", o.host, hosts()),
		accepted("-o", o.format, formats()),
		accepted("--fail-on", o.failOn, []string{"error", "warning", "never"}),
	)
	if len(o.files) == 0 {
		err = errors.Join(err, errors.New("nothing to read: name files or directories, or - for standard input; -h explains"))
	}
	if len(o.pods) > 0 && len(o.nodes) == 0 {
		err = errors.Join(err, errors.New("--pods needs --nodes"))
	}
	return err
}

// hint returns a hint at the accepted word that is most similar to a rejected one.
func hint(word string, accepted []string) string { return typo.Hint(word, accepted...) }

// run is the program. It returns the exit status.
func run(args []string, stdin io.Reader, stdout, stderr io.Writer, colour bool) int {
	fail := func(err error) int {
		for _, err := range dataflow.Faults(err) {
			fmt.Fprintln(stderr, "plan:", printable(err.Error()))
		}
		return unusable
	}
	var o options
	flags := o.flags()
	if err := flags.Parse(args); err != nil {
		return fail(fmt.Errorf("%w%s; -h explains", err, flagHint(flags, args)))
	}
	switch {
	case o.help:
		fmt.Fprint(stdout, usage, flags.FlagUsages(), statuses)
		return sound
	case o.version:
		fmt.Fprintln(stdout, "plan", version)
		return sound
	}
	o.files = append(o.files, flags.Args()...)
	if err := o.check(); err != nil {
		return fail(err)
	}

	in := readInput(stdin, &o)
	seen, err := in.observe(o.ran)
	if err != nil {
		return fail(err)
	}
	r := newReport(in, seen, &o)
	out := bufio.NewWriterSize(stdout, 1<<16)
	if err := errors.Join(printers(o, colour)[o.format](out, r), out.Flush()); err != nil {
		return fail(err)
	}
	switch {
	case in.lost || in.refused:
		return unusable
	case r.fails(o.failOn):
		return unsound
	}
	return sound
}

// flagHint returns a hint at the flag that was probably meant.
func flagHint(flags *pflag.FlagSet, args []string) string {
	var names []string
	flags.VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
	for _, arg := range args {
		name, _, _ := strings.Cut(strings.TrimLeft(arg, "-"), "=")
		if strings.HasPrefix(arg, "--") && flags.Lookup(name) == nil {
			return hint(name, names)
		}
	}
	return ""
}

// readInput reads everything that the flags name.
func readInput(stdin io.Reader, o *options) *input {
	in := newInput(stdin, o.namespace)
	in.read(o.files, in.accept)
	in.name()
	in.read(o.nodes, in.acceptNode)
	in.read(o.pods, in.acceptPod)
	in.finish(len(o.nodes) > 0)
	return in
}
