// The program table prints how the cost of every exported function grows with every dimension of
// its input (law G1): for each function, and each group of dimensions, the greatest factor by which
// doubling the input multiplied the cost. A cost of n log n has a factor of at most 2.6. The status
// is 1 if one is greater.
//
//	go run ./internal/growth/table
//
// counts allocations and allocated bytes. Built as follows, it also counts the basic blocks that are
// executed in the library and in the packages that it loops with:
//
//	go run -cover -covermode=atomic -coverpkg=./topology,./affinity,./dataflow/...,./internal/...,slices,sort,strings,maps ./internal/growth/table
package main

import (
	"cmp"
	"flag"
	"fmt"
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/fluid-cloudnative/slipstream/internal/growth"
	"github.com/fluid-cloudnative/slipstream/internal/growth/cases"
)

func main() {
	n := flag.Int("n", 100, "the smallest size")
	only := flag.String("dimension", "", "only dimensions whose name contains this text")
	all := flag.Bool("v", false, "print every function and dimension")
	flag.Parse()
	debug.SetGCPercent(400)

	factors, measured, grows := map[[2]string]float64{}, 0, 0
	var groups []string
	for _, d := range cases.Dimensions() {
		if !strings.Contains(d.Name, *only) {
			continue
		}
		if !slices.Contains(groups, d.Group) {
			groups = append(groups, d.Group)
		}
		kept := map[int]*cases.Input{}
		for _, f := range cases.Functions() {
			if !f.On(d) {
				continue
			}
			s, tooMuch := f.Run(*n, d, kept)
			measured++
			if tooMuch {
				grows++
			}
			if *all || tooMuch {
				fmt.Printf("%4.2f %s × %s: %s\n", s.Factor(), f.Name, d.Name, &s)
			}
			name, _, _ := strings.Cut(f.Name, ":")
			key := [2]string{name, d.Group}
			old, ok := factors[key]
			if factors[key] = max(old, s.Factor()); !ok {
				factors[key] = s.Factor()
			}
		}
	}
	slices.SortFunc(groups, func(a, b string) int { return cmp.Compare(a, b) })
	print(factors, groups)
	counted := "allocations and bytes"
	if growth.CountsSteps() {
		counted += " and steps"
	}
	fmt.Printf("\n%d pairs of a function and a dimension, measured in %s: %d grow by more than %g a doubling.\n", measured, counted, grows, growth.Limit)
	if growth.CountsSteps() {
		fmt.Println("Not counted are nodes that are related by many keys, which each has or lacks at random, if there are fewer steps than pairs of nodes.")
	}
	if grows > 0 {
		os.Exit(1)
	}
}

// print prints a row for each function. A dot stands for a cost that does not depend on the
// dimension, and a blank for a dimension that the function does not have.
func print(factors map[[2]string]float64, groups []string) {
	out := tabwriter.NewWriter(os.Stdout, 0, 0, 1, ' ', 0)
	for i, group := range groups {
		fmt.Fprintf(out, "%c\t%s\n", 'A'+i, group)
	}
	fmt.Fprintln(out)
	fmt.Fprint(out, "function")
	for i := range groups {
		fmt.Fprintf(out, "\t%c", 'A'+i)
	}
	fmt.Fprintln(out)
	previous := ""
	for _, f := range cases.Functions() {
		name, _, _ := strings.Cut(f.Name, ":")
		if name == previous {
			continue
		}
		previous = name
		fmt.Fprint(out, name)
		for _, group := range groups {
			switch factor, ok := factors[[2]string{name, group}]; {
			case !ok:
				fmt.Fprint(out, "\t")
			case factor == 0:
				fmt.Fprint(out, "\t·")
			default:
				fmt.Fprintf(out, "\t%.1f", factor)
			}
		}
		fmt.Fprintln(out)
	}
	out.Flush()
}
