//go:build e2e

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/fluid-cloudnative/slipstream/dataflow"
)

// What the controller adds to the time that pods take: chains of operations, and as many bare
// pods, which are in no order and each of which has the node affinity that the operation's pod
// gets. Both in one run, on the same nodes, with the same kubelet. Ratios count, not seconds.
func TestSpeed(t *testing.T) {
	const chains, length, nodes, creators = 1000, 5, 500, 8
	c := newCluster(t, os.Getenv(programsVariable), os.Getenv(crdsVariable))
	for i := range nodes {
		name := fmt.Sprintf("node-%d", i)
		c.node(t, corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{hostname: name, zone: fmt.Sprintf("zone-%d", i%5)}}})
	}
	namespace := func(name string) {
		if err := c.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}); err != nil {
			t.Fatal(err)
		}
	}
	each := func(do func(chain int)) {
		var wg sync.WaitGroup
		for creator := range creators {
			wg.Add(1)
			go func() {
				defer wg.Done()
				for chain := creator; chain < chains; chain += creators {
					do(chain)
				}
			}()
		}
		wg.Wait()
	}
	succeeded := func(ns string) {
		t.Helper()
		c.within(t, 30*time.Minute, 3*time.Second, "all pods in "+ns+" have succeeded", func(ctx context.Context) bool {
			var pods metav1.PartialObjectMetadataList
			pods.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("PodList"))
			err := c.List(ctx, &pods, client.InNamespace(ns), client.MatchingFields{"status.phase": "Succeeded"})
			return err == nil && len(pods.Items) == chains*length
		})
	}

	namespace("bare")
	began := time.Now()
	each(func(chain int) {
		for i := range length {
			node := fmt.Sprintf("node-%d", (chain*7+i/2)%nodes)
			op := decode(objectOf(dataflow.Ref{Kind: dataflow.DataLoad, Namespace: "bare", Name: fmt.Sprintf("pod-%d-%d", chain, i)}))
			op.object.SetUID("0")
			pod := newPod(op, 0, 1, 0, &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{
				NodeSelectorTerms: []corev1.NodeSelectorTerm{{MatchExpressions: []corev1.NodeSelectorRequirement{{Key: hostname, Operator: corev1.NodeSelectorOpIn, Values: []string{node}}}}},
			}}})
			pod.OwnerReferences, pod.Finalizers = nil, nil
			if err := c.Create(t.Context(), pod); err != nil {
				t.Error(err)
			}
		}
	})
	succeeded("bare")
	bare := time.Since(began)

	namespace("chains")
	each(func(chain int) {
		text, _ := chainOf(fmt.Sprintf("chain-%d-", chain), length, "", hostname, zone)
		c.apply(t, text, "chains")
	})
	began = time.Now()
	c.direct = true
	for _, e := range deployment(t).Spec.Template.Spec.Containers[0].Env {
		t.Setenv(e.Name, e.Value)
	}
	controller := c.controller()
	succeeded("chains")
	took := time.Since(began)
	c.completes(t, "chains")
	controller.end(syscall.SIGTERM)
	usage := controller.ProcessState.SysUsage().(*syscall.Rusage)
	fmt.Printf("%d bare pods: %s; %d chains of %d operations: %s, %.2f times as long; processor time of the controller %s, memory at most %d MB\n",
		chains*length, bare.Round(time.Second), chains, length, took.Round(time.Second), took.Seconds()/bare.Seconds(),
		(controller.ProcessState.UserTime() + controller.ProcessState.SystemTime()).Round(time.Second), usage.Maxrss/1024)
	for verb, n := range c.requests(t) {
		fmt.Printf("%6.2f an operation: %s\n", float64(n)/chains/length, verb)
	}
}

func deployment(t *testing.T) (d appsv1.Deployment) {
	t.Helper()
	text, err := os.ReadFile("deployment.yaml")
	if err == nil {
		err = yaml.UnmarshalStrict(text, &d)
	}
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// requests counts the requests of the controller, by verb and resource.
func (c *cluster) requests(t *testing.T) map[string]int {
	t.Helper()
	audit, err := os.Open(filepath.Join(c.dir, auditLog))
	if err != nil {
		t.Fatal(err)
	}
	defer audit.Close()
	counts := map[string]int{}
	for decoder := json.NewDecoder(audit); ; {
		var entry struct {
			Verb      string
			ObjectRef struct{ Resource, Subresource string }
		}
		if err := decoder.Decode(&entry); errors.Is(err, io.EOF) {
			return counts
		} else if err != nil {
			t.Fatal(err)
		}
		counts[strings.TrimSuffix(entry.Verb+" "+entry.ObjectRef.Resource+"/"+entry.ObjectRef.Subresource, "/")]++
	}
}
