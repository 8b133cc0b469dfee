package main

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/creack/pty"
)

// asProgram is set in the environment of the test binary that is to be the program.
const asProgram = "SLIPSTREAM_RUN_AS_PLAN"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
	}
	os.Exit(m.Run())
}

// command is the program, called by a name, such as kubectl-slipstream.
func command(t *testing.T, name string, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(t.TempDir(), name)
	if err := os.Symlink(self, link); err != nil {
		t.Fatal(err)
	}
	c := exec.Command(link, args...)
	c.Env = append(os.Environ(), asProgram+"=1")
	return c
}

// status is the exit status of a command.
func status(t *testing.T, c *exec.Cmd) int {
	t.Helper()
	var exit *exec.ExitError
	if err := c.Run(); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return c.ProcessState.ExitCode()
}

// An output that cannot be written is one line on standard error, and status 2.
func TestOutputIsLost(t *testing.T) {
	open := func(name string, flag int) func(*testing.T) *os.File {
		return func(t *testing.T) *os.File {
			f, err := os.OpenFile(name, flag, 0)
			if err != nil {
				t.Fatal(err)
			}
			return f
		}
	}
	outputs := map[string]func(*testing.T) *os.File{
		"no space left on device": open("/dev/full", os.O_WRONLY),
		"bad file descriptor":     open("testdata/live.yaml", os.O_RDONLY),
		"broken pipe": func(t *testing.T) *os.File {
			r, w, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			r.Close()
			return w
		},
	}
	for message, output := range outputs {
		for _, args := range [][]string{{"-h"}, {"--version"}, {"completion", "zsh"}, {"testdata/live.yaml"}, {"testdata/live.yaml", "-o", "json"}, {"testdata/live.yaml", "-o", "html"}} {
			c := command(t, "plan", args...)
			f, stderr := output(t), new(bytes.Buffer)
			c.Stdout, c.Stderr = f, stderr
			got := status(t, c)
			f.Close()
			if lines := strings.Split(stderr.String(), "\n"); got != unusable || len(lines) != 2 || !strings.HasSuffix(lines[0], message) {
				t.Errorf("plan %v: status %d, %q, want %q", args, got, stderr, message)
			}
		}
	}
}

// A terminal shows how far the program is, and nothing of it in the end. Other outputs do not.
func TestProgress(t *testing.T) {
	args := []string{"testdata/fixtures/stranding.yaml", "--nodes", fixtures + "nodes.yaml"}
	c := command(t, "plan", args...)
	terminal, err := pty.Start(c) // also standard output
	if err != nil {
		t.Fatal(err)
	}
	text, _ := io.ReadAll(terminal) // it ends with an error on Linux
	if err := c.Wait(); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"\r\x1b[Kreading testdata/fixtures/stranding.yaml", "\r\x1b[Kindexing 8 nodes", "\r\x1b[Kchecking 2 operations", "\r\x1b[Klooking ahead in 1 flow", "\r\x1b[K  OPERATION", "\x1b[33mWarning\x1b[0m"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("%q is not in %q", want, text)
		}
	}
	var stdout, stderr bytes.Buffer
	c = command(t, "plan", args...)
	c.Stdout, c.Stderr = &stdout, &stderr
	if status(t, c) != sound || strings.ContainsAny(stdout.String()+stderr.String(), "\r\x1b") {
		t.Errorf("%q%q", &stdout, &stderr)
	}
}

// As a plugin, the program is called kubectl slipstream.
func TestPluginSaysItsName(t *testing.T) {
	for _, arg := range []string{"--help", "--version", "--nonsense", "completion bash"} {
		c := command(t, "kubectl-slipstream", strings.Fields(arg)...)
		text, _ := c.CombinedOutput()
		if !strings.Contains(string(text), "kubectl slipstream") && !strings.Contains(string(text), "__start_kubectl-slipstream") || strings.Contains(string(text), "PLAN") {
			t.Errorf("%s: %s", arg, text)
		}
	}
}
