package source

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

var (
	manifest      = regexp.MustCompile(`\.(yaml|yml|json)$`)
	kustomization = regexp.MustCompile(`(^|/)(kustomization\.ya?ml|Kustomization)$`)
)

// Find returns the files that names stand for, each file once, and faults of what is not read. The
// name of a file, and -, is kept whatever the file is. Of a directory, Find returns the regular files
// in and below it whose names end in .yaml, .yml or .json, in the order of their names. It follows
// links to files, of which a mounted ConfigMap is full, but not links to directories. It passes over
// directories in it whose names start with a dot, such as .git and .github, and ..data, to which the
// links of a ConfigMap lead. A directory for Kustomize is a [Fault], since its files are not what is
// applied.
func Find(names ...string) (files []string, faults []*Fault) {
	known := map[string]bool{}
	add := func(name string) {
		id := name
		if real, err := filepath.EvalSymlinks(name); err == nil && name != "-" {
			id, _ = filepath.Abs(real)
		}
		if !known[id] {
			known[id], files = true, append(files, name)
		}
	}
	fault := func(name string, err error) { faults = append(faults, &Fault{Position{File: name}, true, err}) }
	kustomize := func(name, dir string) {
		dir = strings.ReplaceAll(dir, "'", `'\''`)
		fault(name, &DocumentError{"Kustomize has to build this first: kubectl kustomize '" + dir + "' | plan -"})
	}
	root := "" // the directory that was named
	visit := func(path string, entry fs.DirEntry, err error) error {
		path = filepath.Clean(path)
		info, statErr := os.Stat(path)
		switch {
		case err != nil:
			fault(path, err)
		case entry.IsDir() && path != root && strings.HasPrefix(entry.Name(), "."):
			return fs.SkipDir
		case entry.IsDir():
			inside, _ := os.ReadDir(path)
			if slices.ContainsFunc(inside, func(e fs.DirEntry) bool { return kustomization.MatchString(e.Name()) }) {
				kustomize(path, path)
				return fs.SkipDir
			}
		case !manifest.MatchString(path):
		case statErr != nil:
			fault(path, statErr)
		case info.Mode().IsRegular():
			add(path)
		}
		return nil
	}
	for _, name := range names {
		before := len(files) + len(faults)
		switch info, err := os.Stat(name); {
		case err == nil && info.IsDir():
			root = filepath.Clean(name)
			_ = filepath.WalkDir(name+"/", visit) // with the slash, the name may be that of a link
			if len(files)+len(faults) == before {
				fault(name, &DocumentError{"no .yaml, .yml or .json file in this directory"})
			}
		case kustomization.MatchString(name):
			kustomize(name, filepath.Dir(name))
		case err != nil && name != "-":
			fault(name, err)
		default:
			add(name)
		}
	}
	return files, faults
}
