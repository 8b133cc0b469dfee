package conformance_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/fluid-cloudnative/slipstream/topology"
)

// The labels that every operation exposes are those that Fluid records of every Job. The node has
// each label that the source of Fluid, that of the Kubernetes API or slipstream names, so that one
// more on either side is found.
func TestBuiltInLabelsAgreeWithFluid(t *testing.T) {
	labels := map[string]string{"example.com/unlisted": "a"}
	for _, dir := range []string{
		sourceDir(t, "github.com/fluid-cloudnative/fluid", "pkg", "dataflow"),
		sourceDir(t, "github.com/fluid-cloudnative/fluid", "pkg", "common"),
		sourceDir(t, "github.com/fluid-cloudnative/fluid", "pkg", "controllers", "v1alpha1", "fluidapp"),
		sourceDir(t, "github.com/fluid-cloudnative/fluid", "pkg", "ctrl", "watch"),
		sourceDir(t, "k8s.io/api", "core", "v1"),
		sourceDir(t, "github.com/fluid-cloudnative/slipstream", "topology"),
	} {
		for _, text := range literals(t, dir) {
			if len(validation.IsQualifiedName(text)) == 0 {
				labels[text] = "a"
			}
		}
	}
	for _, key := range topology.ExposedKeys() {
		labels[key] = "a"
	}
	t.Logf("the node has %d labels", len(labels))
	if labels[corev1.LabelArchStable] == "" || labels[corev1.LabelInstanceTypeStable] == "" {
		t.Fatal("the node lacks well-known labels")
	}

	job := &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "job", Labels: map[string]string{"parallelism": "1"}}}
	job.Spec.Selector = &metav1.LabelSelector{}
	job.Status.Conditions = []batchv1.JobCondition{{Type: batchv1.JobComplete}}
	recorded, err := recordByFluid(job, &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "node-a", Labels: labels}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	var byFluid []string
	for _, name := range slices.Sorted(maps.Keys(recorded.Annotations)) {
		if key, ok := strings.CutPrefix(name, topology.RecordedPrefix); ok {
			byFluid = append(byFluid, key)
		}
	}
	var exposed []string
	for key := range topology.Expose(labels).All() {
		exposed = append(exposed, key)
	}
	if !slices.Equal(exposed, byFluid) {
		t.Errorf("slipstream exposes %q, and Fluid records %q", exposed, byFluid)
	}
}

// sourceDir returns a folder of a module that the tests are built with.
func sourceDir(t *testing.T, module string, folder ...string) string {
	t.Helper()
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", module).Output()
	if err != nil {
		t.Fatal(module, err)
	}
	return filepath.Join(append([]string{strings.TrimSpace(string(out))}, folder...)...)
}

// literals returns the string literals in the Go files of a folder and below.
func literals(t *testing.T, dir string) (texts []string) {
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if literal, ok := n.(*ast.BasicLit); ok && literal.Kind == token.STRING {
				text, _ := strconv.Unquote(literal.Value)
				texts = append(texts, text)
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return texts
}
