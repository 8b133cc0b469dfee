// Command plan shows what a dataflow will do, and every mistake in it, before
// anything runs: from manifests, or from live objects. See -h.
package main

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"strings"

	"github.com/fluid-cloudnative/slipstream/dataflow"
	"github.com/fluid-cloudnative/slipstream/internal/typo"
)

const usage = `plan shows what a dataflow will do, and every mistake in it, before anything runs.

  plan -f flow.yaml                    what a file says
  plan -f flows/ -f more.yaml          directories and several files
  kubectl get dataloads,datamigrates,dataprocesses,databackups -A -o yaml | plan -f -
                                       what a cluster says
  kubectl get nodes -o yaml > nodes.yaml && plan -f flow.yaml --nodes nodes.yaml
                                       where each operation can run such that the
                                       others can, and where it would strand them
  plan -f flow.yaml --nodes nodes.yaml --ran DataLoad/default/download=gpu-a1
                                       what follows once download ran on gpu-a1
  plan -f flow.yaml -o mermaid         one picture of all flows

`

const statuses = `
Exit status: 0 if there is no problem of severity Error, 1 if there is one, 2 if the
input could not be read or the flags are wrong. NO_COLOR, or TERM=dumb, turns colour off.
`

// The exit statuses.
const (
	sound    = 0
	unsound  = 1
	unusable = 2
)

func main() {
	debug.SetMemoryLimit(1600 << 20) // from there on, memory is dearer than time
	dumb := os.Getenv("NO_COLOR") != "" || os.Getenv("TERM") == "dumb"
	terminals := terminals{out: isTerminal(os.Stdout) && !dumb, err: isTerminal(os.Stderr)}
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
	fail := func(errs ...error) int {
		for _, err := range errs {
			fmt.Fprintln(stderr, "plan:", printable(err.Error()))
		}
		return unusable
	}

	var files, nodes, ran list
	flags := flag.NewFlagSet("plan", flag.ContinueOnError)
	flags.SetOutput(io.Discard) // errors are printed as all others are, and help is no error
	flags.Var(&files, "f", "a `file` of manifests, a directory of them, or - for standard input; may be repeated")
	flags.Var(&nodes, "nodes", "a `file` or directory with the nodes of the cluster; may be repeated")
	flags.Var(&ran, "ran", "`Kind/namespace/name=node`: take the operation for complete on that node; may be repeated")
	format := flags.String("o", "table", "output: table, json, yaml or mermaid")
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		flags.SetOutput(stdout)
		fmt.Fprint(stdout, usage)
		flags.PrintDefaults()
		fmt.Fprint(stdout, statuses)
		return sound
	case err != nil:
		_, undefined, _ := strings.Cut(err.Error(), "not defined: -")
		return fail(fmt.Errorf("%w%s; -h explains", err, typo.Hint(undefined, "nodes", "ran")))
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

	in := newInput(stdin)
	if terminals.err {
		in.progress = stderr
	}
	in.readAll(files)
	in.checkAny()
	if len(nodes) > 0 {
		in.readNodes(nodes)
	}
	seen, err := in.observe(ran)
	if err != nil {
		return fail(err)
	}
	fail(in.notes...)
	status := sound
	if len(in.unreadable) > 0 {
		status = fail(in.unreadable...)
	}
	r := newReport(in, seen, len(nodes) > 0 && status == sound)
	out := bufio.NewWriterSize(stdout, 1<<16)
	if err := errors.Join(print(out, r), out.Flush()); err != nil {
		return fail(err)
	}
	if status == sound && r.count(dataflow.SeverityError) > 0 {
		return unsound
	}
	return status
}
