// Hosts holds slipstream's table of hosts (law H1) against Fluid's source. It reads Go files
// and charts, and builds nothing.
//
//	go run ./hosts -checkout DIR [-host fluid-main]
//
// DIR is a work tree of Fluid. Hosts prints what it reads there for each kind and policy, and
// what the table says otherwise. The exit status is 1 if that is anything, and 2 if the work
// tree cannot be read.
//
// The tests of this package do the same with the module of Fluid v1.0.8, and call its functions
// and controllers in addition.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/fluid-cloudnative/slipstream/dataflow"
)

func main() {
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

func run(args []string, out, errs io.Writer) int {
	flags := flag.NewFlagSet("hosts", flag.ContinueOnError)
	flags.SetOutput(errs)
	dir := flags.String("checkout", "", "the work tree of Fluid to read")
	host := flags.String("host", string(dataflow.FluidMain), "the host whose table is checked")
	if err := flags.Parse(args); err != nil {
		return 2
	}
	if h := dataflow.Host(*host); h == dataflow.Slipstream || !slices.Contains(dataflow.Hosts(), h) {
		fmt.Fprintf(errs, "-host %q is not a version of Fluid; the known ones are %q\n", h, dataflow.Hosts()[1:])
		return 2
	}
	read, err := readSource(os.DirFS(*dir))
	all, generalErr := readGeneral(os.DirFS(*dir))
	if err := errors.Join(err, generalErr); err != nil {
		fmt.Fprintf(errs, "%s is not a work tree of Fluid that can be read: %v\n", *dir, err)
		return 2
	}
	for _, v := range variants() {
		fmt.Fprintf(out, "%s: %s\n", v, read[v])
	}
	fmt.Fprintf(out, "all: %+v\n", all)
	differences := compare(dataflow.Host(*host), read, all)
	for _, d := range differences {
		fmt.Fprintln(errs, d)
	}
	if len(differences) > 0 {
		return 1
	}
	return 0
}
