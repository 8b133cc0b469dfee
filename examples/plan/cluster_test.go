package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fluid-cloudnative/slipstream/examples/plan/internal/source"
)

// fakeScript answers like kubectl: from files that are named after the path and the page, with an
// error if there is a file of that, and as if the kind were unknown otherwise.
const fakeScript = `#!/bin/sh
echo "$@" >>calls
case $1 in
config) cat namespace; exit ;;
esac
path=$(echo "${3%%\?*}" | tr / _)
token=${3##*continue=}
[ "$token" != "$3" ] || token=
if [ -f "$path.error" ]; then cat "$path.error" >&2; exit 1; fi
if [ -f "$path$token" ]; then cat "$path$token"; exit; fi
echo "Error from server (NotFound): the server could not find the requested resource" >&2
exit 1
`

// fakeKubectl is a folder with a kubectl in it, which is the only program in the PATH.
type fakeKubectl struct {
	*testing.T
	dir string
}

func newFakeKubectl(t *testing.T) fakeKubectl {
	t.Helper()
	k := fakeKubectl{t, t.TempDir()}
	k.write("kubectl", "#!/bin/sh\ncd '"+k.dir+"' && PATH=/usr/bin:/bin exec /bin/sh ./script \"$@\"\n")
	k.write("script", fakeScript)
	if err := os.Chmod(filepath.Join(k.dir, "kubectl"), 0o755); err != nil {
		t.Fatal(err)
	}
	k.write("namespace", "default")
	k.write("_version", "{}")
	t.Setenv("PATH", k.dir)
	return k
}

func (k fakeKubectl) write(name, text string) {
	k.Helper()
	writeFile(k.T, filepath.Join(k.dir, name), text)
}

// page writes a page of a list as the API server does: items of kinds of its own have no kind.
func (k fakeKubectl) page(path, token, next string, items ...map[string]any) {
	k.Helper()
	for _, item := range items {
		delete(item, "kind")
		delete(item, "apiVersion")
	}
	text, err := json.Marshal(map[string]any{"kind": "List", "metadata": map[string]any{"continue": next}, "items": items})
	if err != nil {
		k.Fatal(err)
	}
	k.write(strings.ReplaceAll(path, "/", "_")+token, string(text))
}

const fluidAPI = "/apis/data.fluid.io/v1alpha1/"

// objects are those of a file, by kind, each in the namespace default.
func objects(t *testing.T, file string) map[string][]map[string]any {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	byKind := map[string][]map[string]any{}
	for o, err := range source.Read(file, f) {
		if err != nil {
			t.Fatal(err)
		}
		kind := o.Object["kind"].(string)
		if kind != "Node" {
			o.Object["metadata"].(map[string]any)["namespace"] = "default"
		}
		byKind[kind] = append(byKind[kind], o.Object)
	}
	return byKind
}

// serve serves the operations and nodes of files, nodes in pages of two, and empty lists of the rest.
func (k fakeKubectl) serve(scope, operations string) {
	k.Helper()
	byKind := objects(k.T, operations)
	for kind, name := range map[string]string{"DataLoad": "dataloads", "DataMigrate": "datamigrates", "DataProcess": "dataprocesses", "DataBackup": "databackups"} {
		k.page(fluidAPI+scope+name, "", "", byKind[kind]...)
	}
	nodes, token := objects(k.T, fixtures+"nodes.yaml")["Node"], ""
	for len(nodes) > 2 {
		k.page("/api/v1/nodes", token, token+"x", nodes[:2]...)
		nodes, token = nodes[2:], token+"x"
	}
	k.page("/api/v1/nodes", token, "", nodes...)
	k.page("/api/v1/pods", "", "")
}

// refuse makes the API server answer with an error.
func (k fakeKubectl) refuse(path, reason string) {
	k.write(strings.ReplaceAll(path, "/", "_")+".error", "E1126 memcache.go\nError from server ("+reason+"): refused\n")
}

// A cluster gives the report of the files that hold the same objects.
func TestClusterIsReadLikeFiles(t *testing.T) {
	k := newFakeKubectl(t)
	k.serve("", "testdata/live.yaml")
	got, _, stderr := plan("", "-A", "-o", "json", "--context=c", "--kubeconfig=k")
	want := reportOf(t, "testdata/live.yaml", "--nodes", fixtures+"nodes.yaml")
	r := reportOf(t, "-A", "--context=c", "--kubeconfig=k")
	if got != unsound || stderr != "" || len(r.Operations) != len(want.Operations) || len(r.Groups) != len(want.Groups) {
		t.Errorf("status %d, %s; %d operations, want %d", got, stderr, len(r.Operations), len(want.Operations))
	}
	state := map[string]string{}
	for _, o := range want.Operations {
		state[o.Ref.String()] = string(o.State) + string(o.Phase)
	}
	for _, o := range r.Operations {
		if got := string(o.State) + string(o.Phase); got != state[o.Ref.String()] {
			t.Errorf("%s is %s, want %s", o.Ref, got, state[o.Ref.String()])
		}
	}
	codes := map[string]int{}
	for _, p := range want.Problems {
		codes[string(p.Code)+p.subject()]++
	}
	for _, p := range r.Problems {
		codes[string(p.Code)+p.subject()]--
		if p.at() != (source.Position{File: "cluster"}) {
			t.Errorf("%s is at %v", p.Code, p.at())
		}
	}
	for problem, n := range codes {
		if n != 0 {
			t.Errorf("%s: %d times more in files", problem, n)
		}
	}
	calls, err := os.ReadFile(filepath.Join(k.dir, "calls"))
	if err != nil {
		t.Fatal(err)
	}
	for _, call := range strings.Split(strings.TrimSpace(string(calls)), "\n") {
		if !strings.HasSuffix(call, " --context=c --kubeconfig=k") || !strings.HasPrefix(call, "get --raw ") {
			t.Errorf("kubectl %s", call)
		}
		if path, _, _ := strings.Cut(strings.TrimPrefix(call, "get --raw "), " "); path != "/version" && !strings.Contains(path, "?limit=500&") {
			t.Errorf("not by pages: %s", path)
		}
		// Only what uses a node is asked for.
		if strings.Contains(call, "/pods") != strings.Contains(call, "&fieldSelector=spec.nodeName%21%3D%2Cstatus.phase%21%3DSucceeded%2Cstatus.phase%21%3DFailed&") {
			t.Errorf("kubectl %s", call)
		}
	}
	for _, form := range formats() {
		if _, stdout, stderr := plan("", "-A", "-o", form); stdout == "" || stderr != "" {
			t.Errorf("-o %s: %q%q", form, stdout, stderr)
		}
	}
}

// What pods request is not free.
func TestClusterCountsPods(t *testing.T) {
	k := newFakeKubectl(t)
	k.serve("", fixtures+"stranding.yaml")
	type object = map[string]any
	one := object{"resources": object{"requests": object{"cpu": "1"}}}
	k.page(fluidAPI+"dataprocesses", "", "")
	k.page(fluidAPI+"dataloads", "", "", object{"metadata": object{"name": "load", "namespace": "default"}, "spec": one})
	node := func(name string) object {
		return object{"metadata": object{"name": name}, "status": object{"allocatable": object{"cpu": "1", "pods": "9"}}}
	}
	k.page("/api/v1/nodes", "", "", node("a"), node("b"))
	pod := func(node string) object {
		return object{"metadata": object{"name": "p", "namespace": "other"}, "spec": object{"nodeName": node, "containers": []any{one}}}
	}
	k.page("/api/v1/pods", "", "next", pod("z"))
	k.page("/api/v1/pods", "next", "", pod("a"))
	if f := reportOf(t, "-A").Operations[0].Forecast; len(f.Nodes) != 1 || f.Nodes[0] != "b" {
		t.Errorf("it can run on %v", f.Nodes)
	}
	k.page("/api/v1/pods", "next", "lost", pod("a")) // a part of the pods would be misleading
	if f := reportOf(t, "-A").Operations[0].Forecast; len(f.Nodes) != 2 {
		t.Errorf("without the pods, it can run on %v", f.Nodes)
	}
}

// Only what could be read is reported on, and what could not be is said.
func TestClusterIsNotReadAsAWhole(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(fakeKubectl)
		args   string
		status int
		want   []string
		absent []string
	}{
		{"all of it", func(fakeKubectl) {}, "-A", sound, []string{"2 operations in 1 flow", "Warning Stranding  cluster"}, nil},
		{"a missing kind", func(k fakeKubectl) { k.refuse(fluidAPI+"databackups", "NotFound") }, "-A", sound,
			[]string{"2 operations", "Warning Unreadable  cluster", "the cluster has no kind DataBackup"}, nil},
		{"no kind", func(k fakeKubectl) {
			for _, name := range []string{"dataloads", "datamigrates", "dataprocesses", "databackups"} {
				k.refuse(fluidAPI+name, "NotFound")
			}
		}, "-A", unusable, []string{"Error Unreadable", "is Fluid installed"}, []string{"Warning"}},
		{"no right to a kind", func(k fakeKubectl) { k.refuse(fluidAPI+"dataloads", "Forbidden") }, "-A", unusable,
			[]string{"Error Unreadable", "objects of kind DataLoad are not read: Error from server (Forbidden): refused", "1 operation in 1 flow"},
			[]string{"UnknownPredecessor", "memcache"}},
		{"no right to nodes", func(k fakeKubectl) { k.refuse("/api/v1/nodes", "Forbidden") }, "-A", sound,
			[]string{"2 operations", "there is no forecast, since nodes are not read: Error from server (Forbidden)"}, []string{"NODES"}},
		{"no nodes", func(k fakeKubectl) { k.page("/api/v1/nodes", "", "") }, "-A", sound, []string{"the cluster has no nodes"}, []string{"NODES"}},
		{"no right to pods", func(k fakeKubectl) { k.refuse("/api/v1/pods", "Forbidden") }, "-A", sound,
			[]string{"Stranding", "takes all nodes for free, since pods are not read"}, nil},
		{"nodes from a file", func(k fakeKubectl) { k.refuse("/api/v1/nodes", "Forbidden") }, "-A --nodes " + fixtures + "nodes.yaml", sound,
			[]string{"Stranding"}, []string{"Unreadable"}},
		{"a node that is being deleted", func(k fakeKubectl) {
			k.page("/api/v1/nodes", "", "", map[string]any{"metadata": map[string]any{"name": "n", "deletionTimestamp": "2026-11-26T21:09:11Z"}})
		}, "-A", unsound, []string{"Warning NodeDeleting  cluster", "1 of 1 node is being deleted: n;"}, nil},
		{"no list", func(k fakeKubectl) { k.write("_api_v1_nodes", "<html>") }, "-A", sound, []string{"kubectl printed no list"}, nil},
		{"a namespace without operations", func(k fakeKubectl) {
			for _, name := range []string{"dataloads", "datamigrates", "dataprocesses", "databackups"} {
				k.page(fluidAPI+"namespaces/empty/"+name, "", "")
			}
		}, "-n empty", sound, []string{"0 operations in 0 flows", "namespace empty", "-A"}, nil},
		{"an unreachable cluster", func(k fakeKubectl) { k.write("_version.error", "The connection was refused\n") }, "", unusable,
			[]string{"plan: kubectl cannot reach a cluster: The connection was refused; to read files or standard input instead, name them, or -"}, nil},
		{"no right to the version", func(k fakeKubectl) { k.refuse("/version", "Forbidden") }, "-A", sound, []string{"2 operations"}, nil},
		{"no kubectl", func(k fakeKubectl) { k.Setenv("PATH", "") }, "", unusable, []string{"plan: nothing to read: name files", "install kubectl"}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			k := newFakeKubectl(t)
			k.serve("", fixtures+"stranding.yaml")
			c.change(k)
			status, stdout, stderr := plan("", strings.Fields(c.args)...)
			if status != c.status {
				t.Errorf("status %d, want %d", status, c.status)
			}
			all := strings.Join(strings.Fields(stdout+stderr), " ")
			for _, want := range c.want {
				if !strings.Contains(all, strings.Join(strings.Fields(want), " ")) {
					t.Errorf("%q is not in\n%s%s", want, stdout, stderr)
				}
			}
			for _, absent := range c.absent {
				if strings.Contains(stdout+stderr, absent) {
					t.Errorf("%q is in\n%s%s", absent, stdout, stderr)
				}
			}
			if status == unusable && stdout == "" && strings.Count(stderr, "\n") != 1 {
				t.Errorf("%q", stderr)
			}
		})
	}
}

// Nothing is concluded about the namespaces that were not read.
func TestClusterOfOneNamespace(t *testing.T) {
	k := newFakeKubectl(t)
	k.write("namespace", "team-a\n")
	for _, name := range []string{"dataloads", "datamigrates", "dataprocesses", "databackups"} {
		k.page(fluidAPI+"namespaces/team-a/"+name, "", "")
	}
	k.page("/api/v1/nodes", "", "")
	follower := func(namespace string) map[string]any {
		return map[string]any{"metadata": map[string]any{"name": "after", "namespace": "team-a"}, "spec": map[string]any{
			"runAfter": map[string]any{"kind": "DataLoad", "name": "before", "namespace": namespace},
		}}
	}
	k.page(fluidAPI+"namespaces/team-a/dataloads", "", "", follower("team-b"))
	if status, stdout, _ := plan("", "--ignore", "Unreadable"); status != sound || !strings.Contains(stdout, "0 errors") || !strings.Contains(stdout, "unresolved") {
		t.Errorf("status %d, %s", status, stdout)
	}
	k.page(fluidAPI+"namespaces/team-a/dataloads", "", "", follower("team-a"))
	if status, stdout, _ := plan(""); status != unsound || !strings.Contains(stdout, "UnknownPredecessor") {
		t.Errorf("status %d, %s", status, stdout)
	}
}
