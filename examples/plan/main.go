// Command plan shows what a dataflow will do, and every mistake in it, before anything runs:
// from files, or from a cluster. See -h.
package main

import (
	"bufio"
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/term"
	corev1 "k8s.io/api/core/v1"

	"github.com/fluid-cloudnative/slipstream/dataflow"
	"github.com/fluid-cloudnative/slipstream/internal/typo"
)

// usage is printed before the flags. PLAN is replaced by how the program was called.
const usage = `PLAN shows what a dataflow will do, and every mistake in it, before anything runs.

Usage:
  PLAN [flags] FILE|DIR|-…            of files
  PLAN [flags]                        of a cluster, through kubectl

Examples:
  PLAN flow.yaml                      what a file says
  PLAN flows/ more.yaml               directories and several files
  PLAN -A                             what the cluster of the current context says
  PLAN -n team-a --context staging    one namespace of another cluster
  kubectl get dataloads -A -o yaml | PLAN -
                                      what another program prints
  PLAN flow.yaml --nodes nodes.yaml --pods pods.yaml
                                      where each operation can run such that all others
                                      can, and where it would strand them
  PLAN flow.yaml --nodes nodes.yaml --ran DataLoad/default/download=gpu-a1
                                      where the others can run if download ran on gpu-a1
  PLAN flow.yaml --host fluid-main    what Fluid's main branch does not carry out
  PLAN flow.yaml -o github --fail-on warning
                                      in a GitHub workflow
  source <(PLAN completion bash)      completion of flags and their values; also zsh, fish

Flags:
`

const statuses = `
Exit status: 0 if there is no problem at or above --fail-on, 1 if there is one, 2 if the
input or the flags could not be read, or the output not be written. NO_COLOR, or
TERM=dumb, turns colour off. Built as kubectl-slipstream and in the PATH, the program is
"kubectl slipstream".
`

// version returns the version of the program.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok { // built without modules
		info = &debug.BuildInfo{}
	}
	return versionOf(info)
}

// versionOf returns the version of the module, and the commit unless the version has it. Go knows
// the version of a program that was installed by its path, and the commit of one that was built in
// a checkout.
func versionOf(info *debug.BuildInfo) string {
	settings := map[string]string{}
	for _, s := range info.Settings {
		settings[s.Key] = s.Value
	}
	text, revision := cmp.Or(info.Main.Version, "(devel)"), settings["vcs.revision"]
	revision = revision[:min(len(revision), 12)]
	if strings.Contains(text, revision) {
		return text
	}
	text += " " + revision
	if settings["vcs.modified"] == "true" {
		text += ", modified"
	}
	return text
}

// The exit statuses.
const (
	sound    = 0
	unsound  = 1
	unusable = 2
)

func main() {
	debug.SetMemoryLimit(1600 << 20) // from there on, less memory matters more than less time
	signal.Ignore(syscall.SIGPIPE)   // a closed pipe is an error of the output like any other
	dumb := os.Getenv("NO_COLOR") != "" || os.Getenv("TERM") == "dumb"
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr, term.IsTerminal(int(os.Stdout.Fd())) && !dumb))
}

// programName is how the program was called: plan, or kubectl slipstream.
func programName() string {
	if plugin, ok := strings.CutPrefix(filepath.Base(os.Args[0]), "kubectl-"); ok {
		return "kubectl " + plugin
	}
	return "plan"
}

// options are the flags.
type options struct {
	files, nodes, pods, ran  []string
	namespace, host, format  string
	context, kubeconfig      string
	failOn                   string
	ignore                   []string
	allNamespaces            bool
	quiet, version, help     bool
	extendedResourceTolerate bool
}

// command returns the program as a command of cobra, which knows how to complete flags.
func (o *options) command() *cobra.Command {
	name := programName()
	c := &cobra.Command{
		Use: strings.ReplaceAll(name, " ", "-"), SilenceErrors: true, SilenceUsage: true, Args: cobra.ArbitraryArgs,
		RunE: func(_ *cobra.Command, args []string) error {
			o.files = append(o.files, args...)
			return nil
		},
	}
	c.Annotations = map[string]string{cobra.CommandDisplayNameAnnotation: name}
	flags := c.Flags()
	flags.SortFlags = false
	flags.StringArrayVarP(&o.files, "filename", "f", nil, "a `file` of manifests, a directory of them, or - for standard input; the same as an argument")
	flags.StringArrayVar(&o.nodes, "nodes", nil, "a `file` or directory with the nodes of the cluster, for a forecast")
	flags.StringArrayVar(&o.pods, "pods", nil, "a `file` or directory with the pods of the cluster: what they request is not free")
	flags.StringVarP(&o.namespace, "namespace", "n", "", "the `namespace` of objects in files that name none (default default), or the one that is read of a cluster (default that of the context)")
	flags.BoolVarP(&o.allNamespaces, "all-namespaces", "A", false, "read all namespaces of the cluster")
	flags.StringVar(&o.context, "context", "", "the `context` of the kubeconfig")
	flags.StringVar(&o.kubeconfig, "kubeconfig", "", "the `file` with the kubeconfig")
	flags.StringArrayVar(&o.ran, "ran", nil, "assume that an operation completed on a node: `Kind/namespace/name=node`")
	flags.BoolVar(&o.extendedResourceTolerate, "extended-resource-toleration", false, "count the tolerations that the admission plugin ExtendedResourceToleration adds")
	flags.StringVar(&o.host, "host", string(dataflow.Fluid1_0), "the system that runs the flow: "+strings.Join(hosts(), ", "))
	flags.StringVarP(&o.format, "output", "o", "table", "the form of the output: "+strings.Join(formats(), ", "))
	flags.StringVar(&o.failOn, "fail-on", "error", "exit with status 1 on: "+strings.Join(severities, ", "))
	flags.StringSliceVar(&o.ignore, "ignore", nil, "do not report problems with this `code`; several with commas, or repeat the flag")
	flags.BoolVarP(&o.quiet, "quiet", "q", false, "print problems only, and nothing if there are none")
	flags.BoolVar(&o.version, "version", false, "print the version")
	flags.BoolVarP(&o.help, "help", "h", false, "print this help")
	for flag, values := range map[string][]string{
		"host": hosts(), "output": formats(), "fail-on": severities, "ignore": codeNames(),
	} {
		_ = c.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp)) // it fails for unknown flags only
	}
	help := c.HelpFunc()
	c.SetHelpFunc(func(of *cobra.Command, args []string) {
		if o.help = of == c; !o.help {
			help(of, args) // of completion, a command that cobra adds
		}
	})
	return c
}

// severities are the values of --fail-on.
var severities = []string{"error", "warning", "never"}

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
	var faults []error
	accepted := func(flag, value string, values []string) {
		if !slices.Contains(values, value) {
			faults = append(faults, fmt.Errorf("%s %q: must be one of %s%s", flag, value, strings.Join(values, ", "), typo.Hint(value, values...)))
		}
	}
	accepted("--host", o.host, hosts())
	accepted("-o", o.format, formats())
	accepted("--fail-on", o.failOn, severities)
	for _, code := range o.ignore {
		accepted("--ignore", code, codeNames())
	}
	if len(o.files) > 0 && (o.allNamespaces || o.context != "" || o.kubeconfig != "") {
		faults = append(faults, fmt.Errorf("-A, --context and --kubeconfig name a cluster, and %q is a file: leave one of them out", o.files[0]))
	}
	if o.allNamespaces && o.namespace != "" {
		faults = append(faults, errors.New("-A and -n exclude each other"))
	}
	if len(o.files) > 0 && len(o.pods) > 0 && len(o.nodes) == 0 {
		faults = append(faults, errors.New("--pods needs --nodes"))
	}
	var readers []string
	for _, input := range []struct {
		name  string
		files []string
	}{{"FILE", o.files}, {"--nodes", o.nodes}, {"--pods", o.pods}} {
		if slices.Contains(input.files, "-") {
			readers = append(readers, input.name+" -")
		}
	}
	if len(readers) > 1 {
		faults = append(faults, fmt.Errorf("%s: standard input can be read only once", strings.Join(readers, " and ")))
	}
	return errors.Join(faults...)
}

// run is the program. It returns the exit status.
func run(args []string, stdin io.Reader, stdout, stderr io.Writer, colour bool) int {
	fail := func(err error) int {
		for _, err := range dataflow.Faults(err) {
			fmt.Fprintf(stderr, "%s: %s\n", programName(), printable(err.Error()))
		}
		return unusable
	}
	var o options
	c := o.command()
	var out bytes.Buffer
	c.SetArgs(append([]string{}, args...)) // of nil, cobra makes os.Args
	c.SetOut(&out)
	c.SetErr(io.Discard)
	if err := c.Execute(); err != nil {
		return fail(fmt.Errorf("%w%s; -h explains", err, flagHint(c.Flags(), args)))
	}
	switch {
	case o.help:
		fmt.Fprint(&out, strings.ReplaceAll(usage, "PLAN", programName()), c.Flags().FlagUsagesWrapped(88), statuses)
	case o.version:
		fmt.Fprintln(&out, programName(), version())
	}
	if out.Len() > 0 { // help, the version, or a completion
		if _, err := stdout.Write(out.Bytes()); err != nil {
			return fail(err)
		}
		return sound
	}
	if err := o.check(); err != nil {
		return fail(err)
	}
	return o.report(stdin, stdout, stderr, colour, fail)
}

// report reads the input and prints the report.
func (o *options) report(stdin io.Reader, stdout, stderr io.Writer, colour bool, fail func(error) int) int {
	p := newProgress(stderr)
	defer p.done()
	in := &input{stdin: stdin, progress: p, namespace: o.namespace, used: map[string]corev1.ResourceList{}, running: map[string]string{}, forecasts: len(o.nodes) > 0}
	if len(o.files) > 0 {
		in.read(o.files, in.accept)
	} else if err := in.readCluster(newKubectl(o, stdin, stderr, p), o); err != nil {
		p.done()
		return fail(err)
	}
	in.name()
	in.readBeside(o.nodes, o.files, in.acceptNode)
	in.read(o.pods, in.acceptPod)
	in.finish(o)
	seen, err := in.observe(o.ran)
	if err != nil {
		p.done()
		return fail(err)
	}
	r := newReport(in, seen, o)
	p.done()
	if !o.quiet && slices.Contains([]string{"lines", "junit", "mermaid"}, o.format) { // they have no place for notes
		for _, note := range r.Notes {
			fmt.Fprintf(stderr, "%s: note: %s\n", programName(), note)
		}
	}
	out := bufio.NewWriterSize(stdout, 1<<16)
	if err := cmp.Or(printers(*o, colour)[o.format](out, r), out.Flush()); err != nil {
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
			return typo.Hint(name, names...)
		}
	}
	return ""
}
