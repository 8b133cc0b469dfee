// Command adopt makes the change to Fluid with which Fluid imports slipstream.
//
//	adopt -checkout DIR [-slipstream DIR|VERSION] [-steps N] [-series DIR]
//
// It edits the checkout of Fluid in DIR step by step and commits each step there. The checkout
// must be a git work tree without changes. The edits are made by syntax tree and by key, and
// hold no line of Fluid: where the source is not as a step expects, adopt says so and leaves
// the checkout as the steps before it made it.
//
// With -series it also writes the commits as patches into a folder, as git format-patch does.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "adopt:", err)
		os.Exit(1)
	}
}

func run(args []string, out io.Writer) error {
	flags := flag.NewFlagSet("adopt", flag.ContinueOnError)
	checkout := flags.String("checkout", "", "the git work tree of Fluid to change")
	slipstream := flags.String("slipstream", "v0.0.0", "the version of slipstream, or the folder that holds it")
	last := flags.Int("steps", len(steps), "the number of steps to make")
	series := flags.String("series", "", "a folder to write the commits to, as patches")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *checkout == "" || flags.NArg() > 0 || *last < 0 || *last > len(steps) {
		return fmt.Errorf("usage: adopt -checkout DIR [-slipstream DIR|VERSION] [-steps 0..%d] [-series DIR]", len(steps))
	}
	if changes, err := git(*checkout, "status", "--porcelain"); err != nil {
		return err
	} else if changes != "" {
		return fmt.Errorf("%s has changes: commit or remove them first", *checkout)
	}
	base, err := git(*checkout, "rev-parse", "HEAD")
	if err != nil {
		return err
	}
	for i, s := range steps[:*last] {
		if err := s.apply(*checkout, *slipstream); err != nil {
			return errors.Join(fmt.Errorf("step %d (%s): %w", i+1, s.title, err), restore(*checkout))
		}
		if _, err := git(*checkout, "add", "-A"); err != nil {
			return err
		}
		if _, err := git(*checkout, "commit", "-q", "-s", "-m", s.title+"\n\n"+s.message); err != nil {
			return err
		}
		size, err := git(*checkout, "show", "--shortstat", "--format=", "HEAD", "--", ".", ":!*_test.go", ":!vendor")
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "%d  %-60s %s\n", i+1, s.title, size)
	}
	if *series != "" {
		folder, err := filepath.Abs(*series)
		if err != nil {
			return err
		}
		_, err = git(*checkout, "format-patch", "-q", "-o", folder, strings.TrimSpace(base)+"..HEAD")
		return err
	}
	return nil
}

// restore takes a checkout, which had no changes, back to the last step that was made.
func restore(dir string) error {
	if _, err := git(dir, "reset", "-q", "--hard"); err != nil {
		return err
	}
	_, err := git(dir, "clean", "-fdq")
	return err
}

func git(dir string, args ...string) (string, error) {
	return command(dir, "git", args...)
}

// command runs a command in a folder and returns its output without blanks around it.
func command(dir, name string, args ...string) (string, error) {
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	out, err := cmd.Output()
	var failed *exec.ExitError
	if errors.As(err, &failed) {
		return "", fmt.Errorf("%s %s: %w: %s", name, args[0], err, strings.TrimSpace(string(failed.Stderr)))
	}
	return strings.TrimSpace(string(out)), err
}
