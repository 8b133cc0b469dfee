package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// The commands of the README's workflow, pipeline and hook do what it says of them, where its folders
// are. Those of its sh blocks are run by .ci/readme-commands. In place of a clone there is a link.
func TestReadmeInCI(t *testing.T) {
	page, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?ms)^```yaml\n(.*?)^```$").FindAllStringSubmatch(string(page), -1)
	if len(blocks) != 3 {
		t.Fatalf("%d blocks of YAML, want the workflow, the pipeline and the hook", len(blocks))
	}
	var workflow struct {
		Jobs map[string]struct{ Steps []struct{ Run string } }
	}
	var hooks struct {
		Repos []struct {
			Hooks []struct{ Entry, Files string }
		}
	}
	var pipeline map[string]struct {
		Script      []string
		AfterScript []string `yaml:"after_script"`
		Artifacts   struct{ Reports struct{ Junit string } }
	}
	for i, into := range []any{&workflow, &pipeline, &hooks} {
		if err := yaml.Unmarshal([]byte(blocks[i][1]), into); err != nil {
			t.Fatal(err)
		}
	}

	dir := t.TempDir()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(root, filepath.Join(dir, ".slipstream")); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "flows"), 0o755); err != nil {
		t.Fatal(err)
	}
	git, err := exec.LookPath("git")
	if err != nil {
		t.Fatal(err)
	}
	link := "#!/bin/sh\nif [ \"$*\" != 'clone --depth 1 https://github.com/fluid-cloudnative/slipstream .slipstream' ]; then exec " + git + " \"$@\"; fi\n"
	if err := errors.Join(os.Mkdir(filepath.Join(dir, "bin"), 0o755), os.WriteFile(filepath.Join(dir, "bin/git"), []byte(link), 0o755)); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "bin") + ":" + os.Getenv("PATH")
	// bash runs a command in the folder, and returns its exit status and its output.
	bash := func(command string) (int, string) {
		t.Helper()
		c := exec.Command("bash", "-e", "-c", command)
		c.Dir = dir
		c.Env = append(os.Environ(), "PATH="+path, "RUNNER_TEMP="+dir+"/temp", "GITHUB_PATH="+dir+"/path", "GITHUB_STEP_SUMMARY="+dir+"/summary.md", "CI_PROJECT_DIR="+dir)
		text, _ := c.CombinedOutput()
		return c.ProcessState.ExitCode(), string(text)
	}
	for _, flow := range []struct {
		file            string
		status          int
		output, summary string
	}{
		{fixtures + "demo1-location.yaml", 0, "", "0 errors, 0 warnings"},
		{"testdata/live.yaml", 1, "::error file=flows/flow.yaml,line=", "❌ error"},
	} {
		text, err := os.ReadFile(flow.file)
		if err != nil {
			t.Fatal(err)
		}
		writeFile(t, filepath.Join(dir, "flows/flow.yaml"), string(text))
		for _, job := range workflow.Jobs {
			for _, step := range job.Steps {
				if step.Run == "" {
					continue
				}
				want := 0
				if strings.Contains(step.Run, "-o github") {
					want = flow.status
				}
				status, output := bash(step.Run)
				if status != want || want != 0 && !strings.Contains(output, flow.output) {
					t.Errorf("%s: status %d, want %d: %s", step.Run, status, want, output)
				}
				if added, err := os.ReadFile(dir + "/path"); err == nil {
					path = strings.TrimSpace(string(added)) + ":" + path
					os.Remove(dir + "/path")
				}
			}
		}
		if summary, err := os.ReadFile(dir + "/summary.md"); err != nil || !strings.Contains(string(summary), flow.summary) {
			t.Errorf("the summary is %q, %v", summary, err)
		}
		if log, err := os.ReadFile(dir + "/plan.sarif"); err != nil || violation(compile("testdata/schemas/sarif-schema-2.1.0.json", false), string(log)) != nil {
			t.Errorf("plan.sarif is %q, %v", log, err)
		}
		for _, job := range pipeline {
			for i, command := range append(job.Script, job.AfterScript...) {
				want := 0
				if i == len(job.Script)-1 {
					want = flow.status
				}
				if status, output := bash(command); status != want {
					t.Errorf("%s: status %d, want %d: %s", command, status, want, output)
				}
			}
			text, err := os.ReadFile(filepath.Join(dir, job.Artifacts.Reports.Junit))
			if failed := strings.Contains(string(text), "<failure "); err != nil || !strings.Contains(string(text), "<testcase ") || failed != (flow.status != 0) {
				t.Errorf("%s is %q, %v", job.Artifacts.Reports.Junit, text, err)
			}
		}
		hook := hooks.Repos[0].Hooks[0]
		if !regexp.MustCompile(hook.Files).MatchString("flows/flow.yaml") {
			t.Errorf("%s does not match", hook.Files)
		}
		if status, output := bash(hook.Entry); status != flow.status {
			t.Errorf("%s: status %d: %s", hook.Entry, status, output)
		}
	}
}
