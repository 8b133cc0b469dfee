package main

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// defects says which test of a step shows which defect: it fails on Fluid with the steps before
// that one, and passes with it.
var defects = []struct {
	defect string
	step   int
	folder string
	test   string
}{
	{"U1", 1, "pkg/dataflow", "TestInjectRequiredAffinityIntoOwnTerms"},
	{"U3", 1, "pkg/dataflow", "TestInjectPreferredAffinityWithoutRecordedTerms"},
	{"U6", 1, "pkg/dataflow", "TestInjectRequiredAffinityIntoNoTerms"},
	{"U9", 1, "pkg/dataflow", "TestInjectedAffinityIsACopy"},
	{"U5", 2, controllers + "/dataflow", "TestWarnOfLabelsThatAreNotInherited"},
	{"U23", 2, controllers + "/dataflow", "TestWarnOfConflicts"},
	{"U7", 3, controllers + "/dataflow", "TestWarnOfDependOnOutsideTheDataflow"},
	{"U8", 3, controllers + "/dataflow", "TestWarnOfInvalidStrategies"},
	{"U22", 3, controllers + "/dataflow", "TestWarnOfNodeNameAndAnotherRequiredNode"},
	{"U12", 4, controllers + "/databackup", "TestStatusHandlerOfTheReconciler"},
	{"U14", 4, controllers + "/fluidapp/dataflowaffinity", "TestLabelsThatNoAnnotationCanRecord"},
	{"U17", 4, controllers + "/dataflow", "TestOperationOfAnotherKindWithTheNameOfOneThatWaits"},
	{"U17", 4, controllers + "/dataflow", "TestRunAfterIsRemovedWhileItWaits"},
	{"U18", 4, controllers + "/dataload", "TestPolicyOnEventIsNotValid"},
	{"U18", 4, controllers + "/datamigrate", "TestPolicyOnEventIsNotValid"},
	{"U10", 5, controllers + "/databackup", "TestPlaceOfADataBackup"},
	{"U13", 5, "pkg/ddc/alluxio", "TestDataBackupInheritsAffinity"},
}

// tested holds, for each step, the arguments of go test for the tests that must pass with it:
// those of the packages that the step changes, with the ones that it adds. Fluid's tests of Cron
// in dataload and datamigrate need a cluster, with and without the change, and so does
// the suite of dataprocess, TestAPIs.
var tested = [][][]string{
	{{"./pkg/dataflow"}},
	{{"./" + controllers + "/dataflow"}},
	{{"./" + controllers + "/dataflow"}},
	{{
		"-skip", "Cron", "./" + controllers + "/databackup", "./" + controllers + "/dataflow", "./" + controllers + "/dataload",
		"./" + controllers + "/datamigrate", "./" + controllers + "/fluidapp/dataflowaffinity",
	}},
	{
		{"./" + controllers + "/databackup", "./" + controllers + "/fluidapp/dataflowaffinity"},
		{"-run", "DataBackup|DataLoad", "./pkg/ddc/alluxio"},
	},
	{{"-skip", "TestAPIs", "./" + controllers + "/dataprocess"}},
}

// Each step is applied to a copy of Fluid v1.0.8. Before it, its tests of defects fail; after it,
// all tests of the packages that it changes pass, those of the step and those of Fluid.
func TestSteps(t *testing.T) {
	dir := copyOfFluid(t)
	library, err := filepath.Abs("../../..")
	if err != nil {
		t.Fatal(err)
	}
	for i, s := range steps {
		if !t.Run(s.title, func(t *testing.T) {
			failBefore(t, dir, s)
			if err := s.apply(dir, library); err != nil {
				t.Fatal(err)
			}
			// -gcflags=-l as in Fluid's Makefile: its tests patch functions that must not be inlined.
			for _, args := range tested[i] {
				t.Log(goCommand(t, dir, append([]string{"test", "-gcflags=-l"}, args...)...))
			}
		}) {
			return
		}
	}
	goCommand(t, dir, "build", "./pkg/...", "./cmd/...")
}

// failBefore adds the tests of a step to Fluid without the step, and fails the test if one of
// those that show a defect does not fail there.
func failBefore(t *testing.T, dir string, s step) {
	t.Helper()
	before, err := filesOf(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.add(dir, func(name string) bool { return strings.HasSuffix(name, "_test.go") }); err != nil {
		t.Fatal(err)
	}
	binaries := map[string]string{}
	for _, d := range defects {
		if d.step != s.number {
			continue
		}
		if binaries[d.folder] == "" {
			binaries[d.folder] = filepath.Join(t.TempDir(), "fluid.test")
			goCommand(t, dir, "test", "-gcflags=-l", "-c", "-o", binaries[d.folder], "./"+d.folder)
		}
		cmd := exec.Command(binaries[d.folder], "-test.run", "^"+d.test+"$")
		cmd.Dir = filepath.Join(dir, d.folder)
		out, err := cmd.CombinedOutput()
		var exit *exec.ExitError
		if !errors.As(err, &exit) || !bytes.Contains(out, []byte("--- FAIL: "+d.test)) {
			t.Errorf("%s: %s does not fail without the step: %v\n%s", d.defect, d.test, err, out)
		}
	}
	after, err := filesOf(dir)
	if err != nil {
		t.Fatal(err)
	}
	for name := range after {
		if !before[name] {
			if err := os.Remove(name); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func filesOf(dir string) (map[string]bool, error) {
	files := map[string]bool{}
	return files, filepath.WalkDir(filepath.Join(dir, "pkg"), func(name string, _ os.DirEntry, err error) error {
		files[name] = true
		return err
	})
}

// copyOfFluid returns a writable copy of the module Fluid v1.0.8. The go command of Go 1.27 has
// no overlay of files in the module cache, so a copy is edited.
func copyOfFluid(t *testing.T) string {
	t.Helper()
	t.Setenv("FLUID_UNIT_TEST", "true") // as in Fluid's Makefile
	t.Setenv("GOFLAGS", "-buildvcs=false -mod=mod")
	module := strings.TrimSpace(goCommand(t, ".", "list", "-m", "-f", "{{.Dir}}", "github.com/fluid-cloudnative/fluid"))
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(module)); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(filepath.Join(dir, "vendor")); err != nil { // a module has only its list
		t.Fatal(err)
	}
	return dir
}

func goCommand(t *testing.T, dir string, args ...string) string {
	t.Helper()
	cmd := exec.Command("go", args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// The program commits each step, and writes the commits as patches. Their sizes are those of
// README.md.
func TestSeries(t *testing.T) {
	dir := copyOfFluid(t)
	for _, args := range [][]string{
		{"init", "-q"}, {"config", "user.name", "adopt"}, {"config", "user.email", "adopt@example.com"},
		{"add", "-A"}, {"commit", "-q", "-m", "Fluid v1.0.8"},
	} {
		if _, err := git(dir, args...); err != nil {
			t.Fatal(err)
		}
	}
	patches := t.TempDir()
	var out bytes.Buffer
	if err := run([]string{"-checkout", dir, "-slipstream", "../../..", "-series", patches}, &out); err != nil {
		t.Fatal(err)
	}
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(readme, out.Bytes()) {
		t.Errorf("README.md does not have\n%s", out.Bytes())
	}
	if files, err := os.ReadDir(patches); err != nil || len(files) != len(steps) {
		t.Errorf("%d patches, %v", len(files), err)
	}
	if changes, err := git(dir, "diff", "--numstat", "HEAD~6", "HEAD", "--", "go.mod"); err != nil || changes != "3\t0\tgo.mod" { // with the replace and a blank line
		t.Errorf("go.mod: %q, %v", changes, err)
	}

	// What was changed once is not as expected any more.
	if err := run([]string{"-checkout", dir, "-slipstream", "../../.."}, &out); err == nil || !strings.Contains(err.Error(), "step 1") || !strings.Contains(err.Error(), "pkg/dataflow/affinity.go") {
		t.Errorf("err = %v", err)
	}
	if changes, err := git(dir, "status", "--porcelain"); err != nil || changes != "" {
		t.Errorf("a step that fails has changed %q, %v", changes, err)
	}
	if err := os.WriteFile(filepath.Join(dir, "new"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := run([]string{"-checkout", dir}, &out); err == nil || !strings.Contains(err.Error(), "has changes") {
		t.Errorf("err = %v", err)
	}
	if err := run(nil, &out); err == nil || !strings.HasPrefix(err.Error(), "usage:") {
		t.Errorf("err = %v", err)
	}
}
