package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/fluid-cloudnative/slipstream/dataflow"
	"github.com/fluid-cloudnative/slipstream/dataflow/manifest"
	"github.com/fluid-cloudnative/slipstream/internal/typo"
	"github.com/fluid-cloudnative/slipstream/topology"
)

// input is what was read of all files.
type input struct {
	stdin    io.Reader
	progress io.Writer
	known    map[string]bool // the files that were read, by their real paths

	manifest.Manifests
	faults     []*manifest.FieldError // of what could be read otherwise
	notes      []error                // about faults that are not listed
	unreadable []error
	ran        map[dataflow.Ref]string // the nodes that --ran names
	indexed    *dataflow.NodeIndex         // the nodes for forecasts, if they are sound
}

func newInput(stdin io.Reader) *input {
	return &input{stdin: stdin, progress: io.Discard, known: map[string]bool{}}
}

// readAll reads files, and what a directory holds of YAML and JSON, each file once.
func (in *input) readAll(names []string) {
	var files []string
	for _, name := range names {
		found, err := manifestsIn(name)
		if err != nil {
			in.unreadable = append(in.unreadable, err)
		}
		for _, file := range found {
			if real := realPath(file); !in.known[real] {
				in.known[real] = true
				files = append(files, file)
			}
		}
	}
	const many = 20
	for i, name := range files {
		if len(files) > many {
			fmt.Fprintf(in.progress, "\rreading %d of %d files", i+1, len(files))
		}
		in.read(name)
	}
	if len(files) > many {
		fmt.Fprintln(in.progress)
	}
}

// realPath is the same for all names of a file.
func realPath(name string) string {
	if name == "-" {
		return name
	}
	if real, err := filepath.EvalSymlinks(name); err == nil {
		name = real
	}
	if absolute, err := filepath.Abs(name); err == nil {
		name = absolute
	}
	return name
}

// manifestsIn returns the file, or the manifests in the directory, of that name. Links
// to files are followed, as a mounted ConfigMap is full of them; links to directories
// are not, lest they lead in a circle.
func manifestsIn(name string) ([]string, error) {
	if name == "-" {
		return []string{name}, nil
	}
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return []string{name}, nil
	}
	var files []string
	err = filepath.WalkDir(name, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && slices.Contains([]string{".yaml", ".yml", ".json"}, filepath.Ext(path)) && isFile(path) {
			files = append(files, path)
		}
		return err
	})
	if err == nil && len(files) == 0 {
		err = fmt.Errorf("%s: no .yaml, .yml or .json file in this directory", name)
	}
	return files, err
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err != nil || !info.IsDir() // an error is told when it is read
}

func (in *input) read(name string) {
	r, shown := in.stdin, "standard input"
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			in.unreadable = append(in.unreadable, err)
			return
		}
		defer f.Close()
		r, shown = f, name
	}
	counted := &counter{Reader: r, progress: in.progress, name: printable(shown)}
	read, err := manifest.Read(shown, counted)
	counted.done()
	if in.Operations == nil {
		in.Operations = read.Operations // which may be many
	} else {
		in.Operations = append(in.Operations, read.Operations...)
	}
	in.Nodes = append(in.Nodes, read.Nodes...)
	in.Skipped += read.Skipped
	in.Lists += read.Lists
	for _, err := range parts(err) {
		var fault *manifest.FieldError
		var unlisted *manifest.UnlistedError
		switch {
		case errors.As(err, &fault):
			in.faults = append(in.faults, fault)
		case errors.As(err, &unlisted):
			in.notes = append(in.notes, err)
		default:
			in.unreadable = append(in.unreadable, err)
		}
	}
	if err == nil && len(read.Operations)+len(read.Nodes)+read.Skipped+read.Lists == 0 {
		in.unreadable = append(in.unreadable, fmt.Errorf("%s: holds no object", shown))
	}
}

// checkAny makes sure that there is something to report. A list of nothing is what a
// cluster without operations says.
func (in *input) checkAny() {
	if len(in.Operations)+len(in.faults)+len(in.unreadable) == 0 && in.Skipped+len(in.Nodes) > 0 {
		in.unreadable = append(in.unreadable, errors.New("no DataLoad, DataMigrate, DataProcess or DataBackup in the input"))
	}
}

// readNodes reads the nodes for a forecast, which must have names of their own.
func (in *input) readNodes(names []string) {
	in.readAll(names)
	if len(in.Nodes) == 0 && len(in.unreadable) == 0 {
		in.unreadable = append(in.unreadable, fmt.Errorf("--nodes %s: no Node in there", strings.Join(names, ", ")))
	}
	indexed, err := dataflow.IndexNodes(in.Nodes)
	in.indexed = indexed
	in.unreadable = append(in.unreadable, parts(err)...)
}

// counter shows how much of a large file has been read.
type counter struct {
	io.Reader
	progress io.Writer
	name     string
	read     int
	shown    int
}

func (c *counter) Read(p []byte) (int, error) {
	const step = 8 << 20
	n, err := c.Reader.Read(p)
	c.read += n
	if c.read/step > c.shown {
		c.shown = c.read / step
		fmt.Fprintf(c.progress, "\r%s: %d MiB read", c.name, c.read>>20)
	}
	return n, err
}

func (c *counter) done() {
	if c.shown > 0 {
		fmt.Fprintln(c.progress)
	}
}

// parts returns what errors.Join joined.
func parts(err error) []error {
	if err == nil {
		return nil
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		return joined.Unwrap()
	}
	return []error{err}
}

// observe returns what the operations' statuses say, and what --ran adds.
func (in *input) observe(ran []string) (map[dataflow.Ref]dataflow.Observation, error) {
	seen := map[dataflow.Ref]dataflow.Observation{}
	for i := range in.Operations {
		if o := in.Operations[i].Observation; o.Phase != "" {
			seen[in.Operations[i].Ref] = o
		}
	}
	in.ran = map[dataflow.Ref]string{}
	for _, flag := range ran {
		name, nodeName, _ := strings.Cut(flag, "=")
		words := strings.Split(name, "/")
		if len(words) != 3 || nodeName == "" {
			return nil, fmt.Errorf("--ran %s: must be Kind/namespace/name=node, such as DataLoad/default/download=gpu-a1", flag)
		}
		op, err := in.operation(dataflow.Ref{Kind: dataflow.Kind(words[0]), Namespace: words[1], Name: words[2]})
		if err != nil {
			return nil, fmt.Errorf("--ran %s: %w", flag, err)
		}
		labels, err := in.nodeLabels(nodeName)
		if err != nil {
			return nil, fmt.Errorf("--ran %s: %w", flag, err)
		}
		if other, again := in.ran[op.Ref]; again {
			return nil, fmt.Errorf("--ran %s: it ran on %s already; an operation runs on one node", flag, other)
		}
		in.ran[op.Ref] = nodeName
		seen[op.Ref] = dataflow.Observation{Phase: dataflow.Complete, Labels: topology.Expose(labels, op.Exposes...)}
	}
	return seen, nil
}

func (in *input) operation(ref dataflow.Ref) (*manifest.Operation, error) {
	var names []string
	for i := range in.Operations {
		if in.Operations[i].Ref == ref {
			return &in.Operations[i], nil
		}
		names = append(names, in.Operations[i].Ref.String())
	}
	return nil, fmt.Errorf("no %s in the input%s", ref, typo.Hint(ref.String(), names...))
}

func (in *input) nodeLabels(name string) (map[string]string, error) {
	var names []string
	for i := range in.Nodes {
		if in.Nodes[i].Name == name {
			return in.Nodes[i].Labels, nil
		}
		names = append(names, in.Nodes[i].Name)
	}
	if len(names) == 0 {
		return nil, errors.New("no nodes are known: name a file that holds them with --nodes")
	}
	return nil, fmt.Errorf("no node %s%s", name, typo.Hint(name, names...))
}
