package source_test

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fluid-cloudnative/slipstream/examples/plan/internal/source"
)

// tree makes a directory: a name that ends in / is a directory, "a -> b" a link, and "|a" a FIFO.
func tree(t *testing.T, names ...string) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range names {
		from, to, isLink := strings.Cut(name, " -> ")
		path := filepath.Join(dir, strings.TrimPrefix(from, "|"))
		err := os.MkdirAll(filepath.Dir(path), 0o755)
		switch {
		case err != nil:
		case isLink:
			err = os.Symlink(to, path)
		case from[0] == '|':
			err = exec.Command("mkfifo", path).Run()
		case strings.HasSuffix(name, "/"):
			err = os.MkdirAll(path, 0o755)
		default:
			err = os.WriteFile(path, []byte("a: 1\n"), 0o644)
		}
		if err != nil {
			t.Skip(err) // not every file system has all of this
		}
	}
	return dir
}

func TestFind(t *testing.T) {
	const none = "no .yaml, .yml or .json file in this directory"
	kustomize := func(dir string) string {
		return "Kustomize has to build this first: kubectl kustomize 'DIR" + dir + "' | plan -"
	}
	for _, c := range []struct {
		what   string
		tree   []string
		names  []string
		files  []string
		faults []string
	}{
		{what: "nothing"},
		{"files and standard input, each once", []string{"a.yaml", "b"}, []string{"a.yaml", "-", "b", "a.yaml", "./a.yaml", "-"}, []string{"a.yaml", "-", "b"}, nil},
		{"no file", nil, []string{"a.yaml"}, nil, []string{"DIR/a.yaml: stat DIR/a.yaml: no such file or directory"}},
		{"a directory", []string{"b.yml", "a.yaml", "c/d.json", "c/.e.yaml", "g.txt", "README", "h.yaml.orig"}, []string{"."}, []string{"a.yaml", "b.yml", "c/.e.yaml", "c/d.json"}, nil},
		{"directories whose names start with a dot", []string{".git/a.yaml", ".github/workflows/b.yaml", "c/.d/e.yaml", "c/f.yaml"}, []string{".", ".github"}, []string{"c/f.yaml", ".github/workflows/b.yaml"}, nil},
		{"a faulty directory whose name starts with a dot", []string{".a/kustomization.yaml", "b.yaml"}, []string{"."}, []string{"b.yaml"}, nil},
		{"a directory and its files", []string{"a/b.yaml", "a/c.yaml"}, []string{"a/c.yaml", "a", "a/b.yaml"}, []string{"a/c.yaml", "a/b.yaml"}, nil},
		{"an empty directory", []string{"a/"}, []string{"a"}, nil, []string{"DIR/a: " + none}},
		{"links to files", []string{"a.yaml -> b/c", "b/c", "d.yaml -> b/c"}, []string{"."}, []string{"a.yaml"}, nil},
		{"links to directories", []string{"a/b.yaml", "c.yaml -> a", "d -> a", "e.yaml"}, []string{".", "d"}, []string{"a/b.yaml", "e.yaml"}, []string{"DIR/d: " + none}},
		{"a link to a directory alone", []string{"a/b.yaml", "d -> a"}, []string{"d"}, []string{"d/b.yaml"}, nil},
		{"a link to nothing", []string{"a.yaml -> b", "c -> d", "e.yaml"}, []string{"."}, []string{"e.yaml"}, []string{"DIR/a.yaml: stat DIR/a.yaml: no such file or directory"}},
		{"a mounted ConfigMap", []string{"..2026/a.yaml", "..data -> ..2026", "a.yaml -> ..data/a.yaml"}, []string{"."}, []string{"a.yaml"}, nil},
		{"FIFOs and devices", []string{"|a.yaml", "b.yaml", "c.yaml -> /dev/zero", "|d.json", "e.yaml -> a.yaml"}, []string{"."}, []string{"b.yaml"}, nil},
		{"a FIFO by its name", []string{"|a.yaml"}, []string{"a.yaml"}, []string{"a.yaml"}, nil},
		{"Kustomize", []string{"kustomization.yaml", "a.yaml", "b/c.yaml"}, []string{"."}, nil, []string{"DIR: " + kustomize("")}},
		{"Kustomize below", []string{"a/kustomization.yml", "a/b.yaml", "c/Kustomization", "d.yaml", "e/it's/kustomization.yaml"}, []string{"."}, []string{"d.yaml"},
			[]string{"DIR/a: " + kustomize("/a"), "DIR/c: " + kustomize("/c"), "DIR/e/it's: " + kustomize(`/e/it'\''s`)}},
		{"Kustomize by its file", []string{"a/kustomization.yaml"}, []string{"a/kustomization.yaml"}, nil, []string{"DIR/a/kustomization.yaml: " + kustomize("/a")}},
	} {
		dir := tree(t, c.tree...)
		var names []string
		for _, name := range c.names {
			if name != "-" {
				name = filepath.Join(dir, name)
			}
			names = append(names, name)
		}
		files, faults := source.Find(names...)
		for i := range files {
			if rel, err := filepath.Rel(dir, files[i]); err == nil {
				files[i] = rel
			}
		}
		var messages []string
		for _, f := range faults {
			messages = append(messages, strings.ReplaceAll(f.Error(), dir, "DIR"))
			if !f.Lost {
				t.Errorf("%s: objects may be missing", c.what)
			}
		}
		if diff := cmp.Diff(c.files, files) + cmp.Diff(c.faults, messages); diff != "" {
			t.Errorf("%s: %s", c.what, diff)
		}
	}
}

func TestFindNamesTheErrorOfAFile(t *testing.T) {
	_, faults := source.Find(filepath.Join(t.TempDir(), "a.yaml"))
	var err *fs.PathError
	if len(faults) != 1 || !errors.As(faults[0], &err) || !errors.Is(faults[0], fs.ErrNotExist) {
		t.Error(faults)
	}
	dir := tree(t, "a/b.yaml", "c.yaml")
	if err := os.Chmod(filepath.Join(dir, "a"), 0); err != nil {
		t.Fatal(err)
	}
	defer os.Chmod(filepath.Join(dir, "a"), 0o755)
	if _, err := os.ReadDir(filepath.Join(dir, "a")); err == nil {
		t.Skip("everything can be read")
	}
	files, faults := source.Find(dir)
	if len(files) != 1 || len(faults) != 1 || !errors.Is(faults[0], fs.ErrPermission) {
		t.Error(files, faults)
	}
}
