// Command controller runs Fluid's data operations one after the other, each where its
// predecessor's place lets it run. It is a template: small enough to be read, and to be
// made one's own.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"

	"sigs.k8s.io/controller-runtime/pkg/client/config"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/manager/signals"
)

func main() {
	lookahead := flag.Bool("lookahead", false, "place operations where those that must follow them can run too")
	flag.Parse() // --kubeconfig is a flag of controller-runtime
	log.SetLogger(zap.New())
	if err := run(signals.SetupSignalHandler(), *lookahead); err != nil {
		fmt.Fprintln(os.Stderr, "controller:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, lookahead bool) error {
	c, err := config.GetConfig()
	if err != nil {
		return err
	}
	m, err := manager.New(c, manager.Options{})
	if err != nil {
		return err
	}
	if err := Setup(ctx, m, lookahead); err != nil {
		return err
	}
	return m.Start(ctx)
}
