package main

import (
	"fmt"
	"os"
	"time"

	"github.com/fluid-cloudnative/slipstream/internal/growth"
	"github.com/fluid-cloudnative/slipstream/internal/growth/cases"
)

func main() {
	n := 100
	bad := 0
	t0 := time.Now()
	fmt.Println("steps:", growth.CountsSteps())
	for _, d := range cases.Dimensions() {
		kept := map[int]*cases.Input{}
		t1 := time.Now()
		for _, f := range cases.Functions() {
			if !f.On(d) {
				continue
			}
			if len(os.Args) > 1 && os.Args[1] != f.Name {
				continue
			}
			t2 := time.Now()
			s := f.Run(n, d, kept)
			if s.Grows() {
				bad++
				fmt.Printf("BAD %5.2f %s × %s: %s\n", s.Factor(), f.Name, d.Name, s.String())
			}
			if e := time.Since(t2); e > 500*time.Millisecond {
				fmt.Printf("SLOW %s %s × %s: %s\n", e, f.Name, d.Name, s.String())
			}
		}
		if e := time.Since(t1); e > 300*time.Millisecond {
			fmt.Println("DIM", d.Name, e)
		}
	}
	fmt.Println(bad, time.Since(t0))
}
