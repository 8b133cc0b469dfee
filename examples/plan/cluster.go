package main

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/json"

	"github.com/fluid-cloudnative/slipstream/dataflow"
	"github.com/fluid-cloudnative/slipstream/examples/plan/internal/source"
)

// kubectl reads a cluster through the user's own kubectl, which knows how to log in.
type kubectl struct {
	flags    []string // which cluster
	stdin    io.Reader
	stderr   io.Writer
	progress *progress
}

// clusterFile takes the place of the name of a file in positions.
const clusterFile = "cluster"

// pageSize is how many objects kubectl is asked for at once. It bounds the memory.
const pageSize = "500"

func newKubectl(o *options, stdin io.Reader, stderr io.Writer, p *progress) *kubectl {
	k := &kubectl{stdin: stdin, stderr: stderr, progress: p}
	if o.context != "" {
		k.flags = append(k.flags, "--context="+o.context)
	}
	if o.kubeconfig != "" {
		k.flags = append(k.flags, "--kubeconfig="+o.kubeconfig)
	}
	return k
}

// kubectlError is what kubectl says when it fails.
type kubectlError struct{ message string }

func (e *kubectlError) Error() string { return e.message }

// is reports whether the API server answered with this reason.
func (e *kubectlError) is(reason string) bool { return strings.Contains(e.message, "("+reason+")") }

// run runs kubectl. The error is a *kubectlError if kubectl ran.
func (k *kubectl) run(stderr io.Writer, args ...string) ([]byte, error) {
	var out, problems bytes.Buffer
	command := exec.Command("kubectl", append(args, k.flags...)...)
	command.Stdout, command.Stderr = &out, io.MultiWriter(stderr, &problems)
	if f, ok := k.stdin.(*os.File); ok { // for a plugin that asks for a password
		command.Stdin = f
	}
	var exit *exec.ExitError
	err := command.Run()
	if errors.As(err, &exit) {
		lines := strings.Split(strings.TrimSpace(problems.String()), "\n")
		return nil, &kubectlError{shortened(cmp.Or(lines[len(lines)-1], exit.String()))}
	}
	return out.Bytes(), err
}

// reach asks the API server for its version: if it cannot be reached, that is said once. On a
// terminal, a plugin that logs in may print what to do.
func (k *kubectl) reach() error {
	stderr := io.Discard
	if k.progress.w != nil {
		stderr = k.stderr
	}
	_, err := k.run(stderr, "get", "--raw", "/version")
	var refused *kubectlError
	switch {
	case errors.As(err, &refused) && refused.is("Forbidden"):
		return nil
	case errors.As(err, &refused):
		return fmt.Errorf("kubectl cannot reach a cluster: %w; to read files or standard input instead, name them, or -", err)
	case err != nil:
		return fmt.Errorf("nothing to read: name files or directories, or - for standard input, or install kubectl to read a cluster: %w", err)
	}
	return nil
}

// namespace returns the namespace of the kubeconfig's current context.
func (k *kubectl) namespace() string {
	text, _ := k.run(io.Discard, "config", "view", "--minify", "-o", "jsonpath={.contexts[0].context.namespace}")
	return cmp.Or(strings.TrimSpace(string(text)), "default")
}

// list hands over the objects of a kind.
func (k *kubectl) list(path, query, apiVersion, kind string, accept func(*source.Object)) error {
	n := 0
	for more := ""; ; {
		text, err := k.run(io.Discard, "get", "--raw", path+"?limit="+pageSize+query+"&continue="+url.QueryEscape(more))
		if err != nil {
			return err
		}
		var page struct {
			Metadata struct {
				Continue string `json:"continue"`
			} `json:"metadata"`
			Items []map[string]any `json:"items"`
		}
		if err := json.Unmarshal(text, &page); err != nil {
			return fmt.Errorf("kubectl printed no list: %w", err)
		}
		for _, object := range page.Items {
			object["apiVersion"], object["kind"] = apiVersion, kind // which the items of a list lack
			accept(source.Live(clusterFile, object))
			n++
		}
		k.progress.step("reading the cluster: %d objects of kind %s", n, kind)
		if more = page.Metadata.Continue; more == "" {
			return nil
		}
	}
}

// readCluster reads the operations, and the nodes and pods unless flags name files of them.
func (in *input) readCluster(k *kubectl, o *options) error {
	k.progress.stage("asking kubectl")
	if err := k.reach(); err != nil {
		return err
	}
	scope := ""
	if !o.allNamespaces {
		in.only = cmp.Or(o.namespace, k.namespace())
		scope = "/namespaces/" + url.PathEscape(in.only)
	}
	missing := 0
	for _, kind := range dataflow.Kinds() {
		resource, _ := meta.UnsafeGuessKindToResource(schema.GroupVersionKind{Kind: string(kind)}) // its name in paths of the API
		err := k.list("/apis/data.fluid.io/v1alpha1"+scope+"/"+resource.Resource, "", "data.fluid.io/v1alpha1", string(kind), in.accept)
		var refused *kubectlError
		switch {
		case errors.As(err, &refused) && refused.is("NotFound"):
			missing++
			in.warn("the cluster has no kind %s: %w", kind, err)
		case err != nil:
			in.fault(&source.Fault{Position: source.Position{File: clusterFile}, Lost: true, Err: fmt.Errorf("objects of kind %s are not read: %w", kind, err)})
		}
	}
	if missing == len(dataflow.Kinds()) {
		in.warnings = nil
		in.fault(&source.Fault{Position: source.Position{File: clusterFile}, Lost: true, Err: errors.New("the cluster has none of the kinds of data.fluid.io/v1alpha1; is Fluid installed, and is this the right context?")})
	}
	if len(o.nodes) > 0 {
		return nil
	}
	in.forecasts = true
	if err := k.list("/api/v1/nodes", "", "v1", "Node", in.acceptNode); err != nil {
		in.forecasts = false
		in.warn("there is no forecast, since nodes are not read: %w", err)
	} else if len(in.nodes) == 0 {
		in.forecasts = false
		in.warn("there is no forecast, since the cluster has no nodes")
	}
	if in.forecasts && len(o.pods) == 0 {
		running := "&fieldSelector=" + url.QueryEscape("spec.nodeName!=,status.phase!=Succeeded,status.phase!=Failed")
		if err := k.list("/api/v1/pods", running, "v1", "Pod", in.acceptPod); err != nil {
			in.used = map[string]corev1.ResourceList{}
			in.warn("the forecast takes all nodes for free, since pods are not read: %w", err)
		}
	}
	return nil
}

// warn keeps what is missing in the report, and is no error.
func (in *input) warn(format string, args ...any) {
	in.warnings = append(in.warnings, &source.Fault{Position: source.Position{File: clusterFile}, Err: fmt.Errorf(format, args...)})
}
