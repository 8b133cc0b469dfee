package main

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"github.com/fluid-cloudnative/slipstream/dataflow"
)

// findModule returns the version and the directory of the module of Fluid.
var findModule = sync.OnceValue(func() string {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Version}} {{.Dir}}", "github.com/fluid-cloudnative/fluid").Output()
	if err != nil {
		return err.Error()
	}
	return strings.TrimSpace(string(out))
})

// moduleDir returns the directory of the module Fluid v1.0.8.
func moduleDir(t *testing.T) string {
	t.Helper()
	dir, ok := strings.CutPrefix(findModule(), "v1.0.8 ")
	if !ok {
		t.Fatalf("no Fluid v1.0.8: %s", findModule())
	}
	return dir
}

// The table of fluid-1.0 is what the source of Fluid v1.0.8 says.
func TestLawH1Fluid1_0IsWhatItsSourceSays(t *testing.T) {
	fsys := os.DirFS(moduleDir(t))
	read, err := readSource(fsys)
	if err != nil {
		t.Fatal(err)
	}
	all, err := readGeneral(fsys)
	if err != nil {
		t.Fatal(err)
	}
	for _, difference := range compare(dataflow.Fluid1_0, read, all) {
		t.Error(difference)
	}
}

// The table of fluid-1.0 is what Fluid v1.0.8 does.
func TestLawH1Fluid1_0IsWhatItDoes(t *testing.T) {
	t.Run("every variant", func(t *testing.T) {
		read, err := readGeneral(os.DirFS(moduleDir(t)))
		if err != nil {
			t.Fatal(err)
		}
		if called, says := calledGeneral(t, read), tableGeneral(dataflow.Fluid1_0); called != says {
			t.Errorf("Fluid: %+v\nthe table: %+v", called, says)
		}
	})
	for _, v := range variants() {
		t.Run(v.String(), func(t *testing.T) {
			called := calledRow(t, v, false)
			if says := tableRow(dataflow.Fluid1_0, v); !says.equal(called) {
				t.Errorf("Fluid: %s\nthe table: %s", called, says)
			}
			if v.kind == dataflow.DataProcess {
				if script := calledRow(t, v, true); !script.equal(called) {
					t.Errorf("a script: %s\na job: %s", script, called)
				}
			}
		})
	}
}

// edited is a work tree in which one file is another.
type edited struct {
	fs.FS
	name     string
	old, new string
}

func (e edited) ReadFile(name string) ([]byte, error) {
	text, err := fs.ReadFile(e.FS, name)
	if err == nil && name == e.name {
		if !strings.Contains(string(text), e.old) {
			return nil, fmt.Errorf("%s has no %q", name, e.old)
		}
		text = []byte(strings.ReplaceAll(string(text), e.old, e.new))
	}
	return text, err
}

// Where Fluid changes what a row is about, it is read.
func TestChangesOfFluidAreRead(t *testing.T) {
	const (
		controllers = "pkg/controllers/v1alpha1/"
		migrations  = "charts/fluid-datamigrate/juicefs/templates/"
	)
	load, migrate := variant{dataflow.DataLoad, false, "Once"}, variant{dataflow.DataMigrate, false, "Cron"}
	for name, test := range map[string]struct {
		file, old, new string
		of             variant
		change         func(*row)
	}{
		"a DataLoad records nothing": {
			controllers + "dataload/status_handler.go", "GenerateNodeAffinity", "Nothing", load, func(r *row) { r.records = false },
		},
		"the release of a DataLoad has another name": {
			"pkg/utils/dataload.go", "%s-loader", "%s-l", load, func(r *row) { r.longest = 51 },
		},
		"the workers of a parallel DataMigrate have another name": {
			migrations + "statefulset.yaml", "%s-workers", "%s-w", variant{dataflow.DataMigrate, true, "Once"}, func(r *row) { r.longest = 42 },
		},
		"a parallel DataMigrate has no Service": {
			migrations + "service.yaml", "kind: Service", "kind: ConfigMap", variant{dataflow.DataMigrate, true, "Once"}, func(r *row) { r.dots, r.digits = true, true },
		},
		"a DataLoad keeps its TTL to itself": {
			controllers + "dataload/implement.go", "TTLSecondsAfterFinished", "Nothing", load, func(r *row) { r.expires = false },
		},
		"a DataLoad is in vain on JuiceFS": {
			"pkg/ddc/juicefs/data_load.go", "InjectAffinityByRunAfterOp", "Nothing", load, func(r *row) { r.inherits = false },
		},
		"a DataLoad inherits under keys of Go": {
			"pkg/ddc/juicefs/data_load.go", "sigs.k8s.io/yaml", "gopkg.in/yaml.v2", load, func(r *row) { r.inherits = false },
		},
		"the chart of a DataLoad drops an affinity": {
			"charts/fluid-dataloader/juicefs/templates/job.yaml", ".dataloader.affinity", ".dataloader.nothing", load, func(r *row) { r.inherits = false },
		},
		"the pod of a DataLoad has the label of a schedule": {
			"charts/library/templates/_recommended_labels.tpl", "fluid.io/managed-by: fluid", "cronjob: x", load, func(r *row) { r.records = false },
		},
		"a DataLoad on an event is watched": {
			controllers + "dataload/status_handler.go", "return nil, nil", "return opStatus, nil", variant{dataflow.DataLoad, false, "OnEvent"}, func(r *row) { r.fails = dataflow.CodeNeverStarts },
		},
		"a DataBackup is watched": {
			controllers + "databackup/implement.go", "&OnceHandler{}", "&OnceHandler{dataBackup: nil}", variant{dataflow.DataBackup, false, "Once"}, func(r *row) { r.fails, r.expires = "", true },
		},
		"a DataProcess inherits nothing": {
			"pkg/dataprocess/generate_values.go", "InjectAffinityByRunAfterOp", "Nothing", variant{dataflow.DataProcess, false, "Once"}, func(r *row) { r.inherits = false },
		},
		"the CronJob of a DataMigrate is accepted": {
			migrations + "cronjob.yaml", "nindent 8", "nindent 12", migrate, func(r *row) { r.rejected = nil },
		},
		"the CronJob of a parallel one has no affinity": {
			"pkg/ddc/juicefs/data_migrate.go", "AntiAffinity", "Nothing", variant{dataflow.DataMigrate, true, "Cron"}, func(r *row) {
				*r = row{rejected: constraints, inherits: true, longest: 36}
			},
		},
		"a parallel DataMigrate records where its launcher ran": {
			controllers + "datamigrate/status_handler.go", "Parallelism == 1", "Parallelism > 0", variant{dataflow.DataMigrate, true, "Once"}, func(*row) {}, // fluidapp skips it all the same
		},
	} {
		t.Run(name, func(t *testing.T) {
			read, err := readRow(edited{os.DirFS(moduleDir(t)), test.file, test.old, test.new}, test.of)
			if err != nil {
				t.Fatal(err)
			}
			want := tableRow(dataflow.Fluid1_0, test.of)
			test.change(&want)
			if !want.equal(read) {
				t.Errorf("want %s\ngot  %s", want, read)
			}
		})
	}
	for name, test := range map[string]struct {
		file, old, new string
		change         func(*general)
	}{
		"Require is added to own terms": {
			"pkg/utils/affinity.go", "nodeSelectorTerm.MatchExpressions =", "terms.MatchExpressions =", func(c *general) { c.losesRequired = false },
		},
		"another prefix":             {"pkg/common/label.go", `"affinity.dataflow.fluid.io."`, `"x."`, func(c *general) { c.recordedPrefix = "x." }},
		"no runAfter is all right":   {controllers + "dataflow/operations.go", "if len(runAfter.Namespace) != 0 {", "if runAfter != nil {", func(c *general) { c.panicsOnRoots = false }},
		"a job needs no podSpec":     {"pkg/dataprocess/processor_types.go", "podSpec := p.JobProcessor.PodSpec", "podSpec := p.JobProcessor.PodSpec; _ = p.JobProcessor.PodSpec == nil", func(c *general) { c.needsPodSpec = false }},
		"a TTL of 0 waits":           {"pkg/ddc/base/operation.go", "processTTL", "nothing", func(c *general) { c.deletesAtOnce = false }},
		"it looks every 7 seconds":   {"cmd/dataset/app/dataset.go", "5*time.Second", "7*time.Second", func(c *general) { c.lookSeconds = 7 }},
		"recording is on":            {"pkg/dataflow/features.go", "Default: false", "Default: true", func(c *general) { c.recordsByGate = false }},
		"rights come some other way": {"charts/fluid/fluid/templates/_helpers.tpl", "DataflowAffinity", "Affinity", func(c *general) { c.rightsByLiteral = false }},
	} {
		t.Run(name, func(t *testing.T) {
			read, err := readGeneral(edited{os.DirFS(moduleDir(t)), test.file, test.old, test.new})
			if err != nil {
				t.Fatal(err)
			}
			want := tableGeneral(dataflow.Fluid1_0)
			test.change(&want)
			if want != read {
				t.Errorf("want %+v\ngot  %+v", want, read)
			}
		})
	}
}

// A difference between the table and Fluid is said, and is the exit status.
func TestRun(t *testing.T) {
	for name, test := range map[string]struct {
		args   []string
		status int
		says   string
	}{
		"the same":        {[]string{"-checkout", moduleDir(t), "-host", "fluid-1.0"}, 0, ""},
		"another version": {[]string{"-checkout", moduleDir(t)}, 1, "fluid-main\n  DataProcess, Once\n  Fluid: "},
		"no work tree":    {[]string{"-checkout", t.TempDir()}, 2, "is not a work tree of Fluid"},
		"not Fluid":       {[]string{"-checkout", moduleDir(t), "-host", "slipstream"}, 2, `the known ones are ["fluid-1.0" "fluid-main"]`},
		"no flag":         {[]string{"-check"}, 2, "flag provided but not defined"},
	} {
		t.Run(name, func(t *testing.T) {
			var out, errs strings.Builder
			if status := run(test.args, &out, &errs); status != test.status || !strings.Contains(errs.String(), test.says) {
				t.Errorf("%d: %s", status, errs.String())
			}
		})
	}
}
