//go:build e2e

package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"
)

// pluginVariable is set by the script e2e to the folder of kubectl and kubectl-slipstream.
const pluginVariable = "KUBECTL"

// viewerToken is that of a user who has no rights but those of viewer.
const viewerToken = "viewer-token"

// viewer has the rights that kubectl slipstream -A needs: it only lists.
const viewer = `
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: viewer}
rules:
- {apiGroups: [data.fluid.io], resources: [dataloads, datamigrates, dataprocesses, databackups], verbs: [list]}
- {apiGroups: [""], resources: [nodes, pods], verbs: [list]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: viewer}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: viewer}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: viewer}]
`

// tenant has the rights to list the operations of one namespace.
const tenant = `
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: viewer, namespace: team-a}
rules: [{apiGroups: [data.fluid.io], resources: [dataloads, datamigrates, dataprocesses, databackups], verbs: [list]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: viewer, namespace: team-a}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: viewer}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: viewer}]
`

// kubectl slipstream shows the flows of a real API server: one that has run, one that a wrong
// placement would strand, and one with a mistake. It needs no right but to list.
func TestKubectlSlipstream(t *testing.T) {
	if os.Getenv(pluginVariable) == "" {
		t.Fatalf("%s is not set; run ./e2e TestKubectlSlipstream", pluginVariable)
	}
	c := newCluster(t, os.Getenv(programsVariable), os.Getenv(crdsVariable))
	text, err := os.ReadFile(fixtures + "nodes.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var nodes corev1.NodeList
	if err := yaml.Unmarshal(text, &nodes); err != nil {
		t.Fatal(err)
	}
	for _, node := range nodes.Items {
		c.node(t, node)
	}
	for _, namespace := range []string{"team-a", "team-b", "team-c"} {
		if err := c.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}); err != nil {
			t.Fatal(err)
		}
	}
	controller := c.controller()
	c.apply(t, data("DataLoad", "load")+data("DataProcess", "train", runAfter("DataLoad", "load", "policy: Require")), "team-a")
	c.completes(t, "team-a")
	controller.end(os.Interrupt)
	c.applyFile(t, fixtures+"stranding.yaml", "team-b")
	c.apply(t, data("DataLoad", "typo", runAfter("DataLoad", "laod", "policy: Require"))+data("DataLoad", "load"), "team-c")

	admin := c.kubeconfigFor("admin", c.config.Host, adminToken)
	outsider := c.kubeconfigFor("viewer", c.config.Host, viewerToken)
	slipstream := func(kubeconfig string, status int, args string, wants ...string) {
		t.Helper()
		command := exec.Command(filepath.Join(os.Getenv(pluginVariable), "kubectl"), append([]string{"slipstream"}, strings.Fields(args)...)...)
		command.Env = append(os.Environ(), "PATH="+os.Getenv(pluginVariable)+":/usr/bin:/bin", "KUBECONFIG="+kubeconfig, "HOME="+c.dir)
		output, err := command.CombinedOutput()
		fmt.Printf("$ kubectl slipstream %s\n%s\n", args, output)
		var exit *exec.ExitError
		if err != nil && !errors.As(err, &exit) || command.ProcessState.ExitCode() != status {
			t.Errorf("kubectl slipstream %s: %v, want status %d", args, err, status)
		}
		words := strings.Join(strings.Fields(string(output)), " ")
		for _, want := range wants {
			if !strings.Contains(words, want) {
				t.Errorf("kubectl slipstream %s: %q is not in\n%s", args, want, output)
			}
		}
	}
	page, err := os.ReadFile("../plan/README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, block, _ := strings.Cut(string(page), "```sh cluster\n")
	block, _, _ = strings.Cut(block, "```")
	for _, command := range strings.Split(strings.TrimSpace(block), "\n") {
		args := strings.TrimSpace(strings.TrimPrefix(command, "kubectl slipstream"))
		status := 0
		if strings.Contains(args, "-A") { // where the mistake is
			status = 1
		}
		slipstream(admin, status, args)
	}
	all := []string{"6 operations in 4 flows: 1 error", "UnknownPredecessor", "typo of DataLoad team-c/load?", "Complete", "Stranding cluster", "1 of 4 flows can be stranded"}
	slipstream(admin, 1, "-A", all...)
	slipstream(admin, 0, "-n team-a", "2 operations in 1 flow: 0 errors, 0 warnings", "0 of 1 flow can be stranded")
	slipstream(admin, 0, "", "no operation in namespace default of the cluster; -A reads all namespaces")
	slipstream(admin, 0, "-A --context test --fail-on never -o lines", "cluster: error UnknownPredecessor: DataLoad team-c/typo")
	slipstream(admin, 2, "-A --context other", "kubectl cannot reach a cluster", `context "other" does not exist`)

	slipstream(outsider, 2, "-A", "objects of kind DataLoad are not read: Error from server (Forbidden)", "there is no forecast, since nodes are not read")
	c.apply(t, tenant, "")
	slipstream(outsider, 0, "-n team-a", "2 operations in 1 flow: 0 errors, 1 warning", "there is no forecast")
	c.apply(t, viewer, "")
	slipstream(outsider, 1, "-A", all...)
}
