//go:build e2e

package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fluid-cloudnative/slipstream/dataflow"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"sigs.k8s.io/controller-runtime/pkg/client"
	ctrlconfig "sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
)

// cluster is a real control plane: etcd, kube-apiserver and kube-scheduler. Only the
// kubelet is played: it lets every pod that has a node succeed.
type cluster struct {
	client.Client
	config *rest.Config
	dir    string
	rows   []row
}

// The tokens of who may do what: everything, and what rbac.yaml says.
const (
	adminToken      = "admin-token"
	controllerToken = "controller-token"
)

// newCluster starts a control plane from the programs in a folder, on free ports. All of
// it ends with the test.
func newCluster(t *testing.T, programs, crds string) *cluster {
	t.Helper()
	c := &cluster{dir: t.TempDir()}
	log.SetLogger(zap.New(zap.WriteTo(c.log(t, "controller"))))
	etcd := c.etcd(t, programs)
	c.apiServer(t, programs, etcd)
	var err error
	if c.Client, err = client.New(c.config, client.Options{Scheme: scheme.Scheme}); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(crds, "*.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatal("no CRDs in ", crds, err)
	}
	for _, file := range files {
		c.applyFile(t, file, "")
	}
	c.applyFile(t, "rbac.yaml", "")
	c.run(t, filepath.Join(programs, "kube-scheduler"), "--kubeconfig="+c.kubeconfig(t), "--leader-elect=false", "--secure-port=0")
	c.eventually(t, "the kinds of operations are served", func(ctx context.Context) (bool, error) {
		for _, kind := range []string{"Dataset", "AlluxioRuntime", "DataLoad", "DataMigrate", "DataProcess", "DataBackup"} {
			list := &unstructured.UnstructuredList{}
			list.SetAPIVersion("data.fluid.io/v1alpha1")
			list.SetKind(kind)
			if err := c.List(ctx, list); err != nil {
				return false, nil
			}
		}
		return true, nil
	})
	go c.kubelet(t)
	return c
}

func (c *cluster) etcd(t *testing.T, programs string) (url string) {
	url = fmt.Sprintf("http://127.0.0.1:%d", freePort(t))
	peers := fmt.Sprintf("http://127.0.0.1:%d", freePort(t))
	c.run(t, filepath.Join(programs, "etcd"), "--data-dir="+filepath.Join(c.dir, "etcd"), "--unsafe-no-fsync",
		"--listen-client-urls="+url, "--advertise-client-urls="+url,
		"--listen-peer-urls="+peers, "--initial-advertise-peer-urls="+peers, "--initial-cluster=default="+peers)
	return url
}

func (c *cluster) apiServer(t *testing.T, programs, etcd string) {
	port := freePort(t)
	tokens := c.write(t, "tokens.csv", []byte(adminToken+",admin,1,\"system:masters\"\n"+controllerToken+",slipstream,2\n"))
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	key := c.write(t, "service-accounts.key", pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(private)}))
	certificates := filepath.Join(c.dir, "certificates")
	c.run(t, filepath.Join(programs, "kube-apiserver"), "--etcd-servers="+etcd,
		"--bind-address=127.0.0.1", fmt.Sprintf("--secure-port=%d", port), "--cert-dir="+certificates,
		"--token-auth-file="+tokens, "--authorization-mode=RBAC", "--service-cluster-ip-range=10.0.0.0/24",
		"--service-account-issuer=https://localhost", "--service-account-key-file="+key, "--service-account-signing-key-file="+key,
		"--disable-admission-plugins=ServiceAccount,TaintNodesByCondition")
	c.config = &rest.Config{
		Host: fmt.Sprintf("https://127.0.0.1:%d", port), BearerToken: adminToken,
		TLSClientConfig: rest.TLSClientConfig{Insecure: true}, QPS: 500, Burst: 1000,
	}
	c.eventually(t, "the API server is ready", func(ctx context.Context) (bool, error) {
		transport, err := rest.HTTPClientFor(c.config)
		if err != nil {
			return false, err
		}
		response, err := transport.Get(c.config.Host + "/readyz")
		if err != nil {
			return false, nil
		}
		defer response.Body.Close()
		return response.StatusCode == 200, nil
	})
}

// kubeconfig writes a kubeconfig for everything.
func (c *cluster) kubeconfig(t *testing.T) string {
	config := clientcmdapi.NewConfig()
	config.Clusters["test"] = &clientcmdapi.Cluster{Server: c.config.Host, InsecureSkipTLSVerify: true}
	config.AuthInfos["admin"] = &clientcmdapi.AuthInfo{Token: adminToken}
	config.Contexts["test"] = &clientcmdapi.Context{Cluster: "test", AuthInfo: "admin"}
	config.CurrentContext = "test"
	text, err := clientcmd.Write(*config)
	if err != nil {
		t.Fatal(err)
	}
	return c.write(t, "kubeconfig", text)
}

func (c *cluster) write(t *testing.T, name string, content []byte) string {
	file := filepath.Join(c.dir, name)
	if err := os.WriteFile(file, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// run runs a program until the test ends. If the test failed, the end of what the
// program said is shown.
func (c *cluster) run(t *testing.T, program string, args ...string) {
	t.Helper()
	command := exec.Command(program, args...)
	output := c.log(t, filepath.Base(program))
	command.Stdout, command.Stderr = output, output
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = command.Process.Kill()
		_ = command.Wait()
	})
}

// log returns a file for what a program says. If the test failed, its end is shown.
func (c *cluster) log(t *testing.T, program string) *os.File {
	t.Helper()
	file, err := os.Create(filepath.Join(c.dir, program+".log"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = file.Close()
		if text, err := os.ReadFile(file.Name()); err == nil && t.Failed() {
			t.Logf("%s said, at last:\n%s", program, text[max(0, len(text)-4000):])
		}
	})
	return file
}

func freePort(t *testing.T) int {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// eventually waits until something holds, for two minutes.
func (c *cluster) eventually(t *testing.T, what string, holds func(context.Context) (bool, error)) {
	t.Helper()
	if err := wait.PollUntilContextTimeout(t.Context(), 50*time.Millisecond, 2*time.Minute, true, holds); err != nil {
		t.Fatalf("waiting until %s: %v\n%s", what, err, c.state())
	}
}

// state tells what pods there are that have not succeeded, and the warnings.
func (c *cluster) state() string {
	var b strings.Builder
	ctx := context.Background()
	var pods corev1.PodList
	if c.Client == nil || c.List(ctx, &pods) != nil {
		return "the API server does not answer"
	}
	for _, pod := range pods.Items {
		if pod.Status.Phase != corev1.PodSucceeded {
			fmt.Fprintf(&b, "pod %s/%s on %q: %s %v\n", pod.Namespace, pod.Name, pod.Spec.NodeName, pod.Status.Phase, pod.Status.Conditions)
		}
	}
	for _, kind := range dataflow.Kinds() {
		list := listOf(kind)
		_ = c.List(ctx, list)
		phases := map[string]int{}
		for i := range list.Items {
			phase, _, _ := unstructured.NestedString(list.Items[i].Object, "status", "phase")
			phases[list.Items[i].GetNamespace()+" "+phase]++
		}
		fmt.Fprintf(&b, "%ss by namespace and phase: %v\n", kind, phases)
	}
	var events eventsv1.EventList
	_ = c.List(ctx, &events)
	for _, e := range events.Items {
		if e.Type == corev1.EventTypeWarning {
			fmt.Fprintf(&b, "%s/%s %s: %s\n", e.Regarding.Namespace, e.Regarding.Name, e.Reason, e.Note)
		}
	}
	return b.String()
}

// kubelet lets pods succeed once they have a node.
func (c *cluster) kubelet(t *testing.T) {
	ctx := t.Context()
	for ctx.Err() == nil {
		var pods corev1.PodList
		_ = c.List(ctx, &pods, client.MatchingFieldsSelector{Selector: fields.ParseSelectorOrDie("status.phase=Pending,spec.nodeName!=")})
		for i := range pods.Items {
			pod := &pods.Items[i]
			before := pod.DeepCopy()
			pod.Status.Phase = corev1.PodSucceeded
			_ = c.Status().Patch(ctx, pod, client.MergeFrom(before))
		}
		select {
		case <-ctx.Done():
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// controller is a controller that runs.
type controller struct{ stop func() }

// controller starts a controller, with the rights of rbac.yaml. It ends with the test.
func (c *cluster) controller(t *testing.T, lookahead bool) controller {
	t.Helper()
	config := rest.CopyConfig(c.config)
	config.BearerToken = controllerToken
	again := true
	m, err := manager.New(config, manager.Options{
		Metrics:    metricsserver.Options{BindAddress: "0"},
		Controller: ctrlconfig.Controller{SkipNameValidation: &again}, // it is started several times in one process
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	if err := Setup(ctx, m, lookahead); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- m.Start(ctx) }()
	stop := sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("the controller: %v", err)
		}
	})
	t.Cleanup(stop)
	return controller{stop}
}

// applyFile creates what a file holds, in a namespace if it is given.
func (c *cluster) applyFile(t *testing.T, file, namespace string) []*unstructured.Unstructured {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return c.apply(t, string(text), namespace)
}

func (c *cluster) apply(t *testing.T, text, namespace string) []*unstructured.Unstructured {
	t.Helper()
	var objects []*unstructured.Unstructured
	decoder := yaml.NewYAMLOrJSONDecoder(bytes.NewReader([]byte(text)), 4096)
	for {
		u := &unstructured.Unstructured{}
		if err := decoder.Decode(u); errors.Is(err, io.EOF) {
			return objects
		} else if err != nil {
			t.Fatal(err)
		}
		if len(u.Object) == 0 {
			continue
		}
		if namespace != "" {
			u.SetNamespace(namespace)
		}
		if err := c.Create(t.Context(), u); err != nil {
			t.Fatalf("%s %s: %v", u.GetKind(), u.GetName(), err)
		}
		objects = append(objects, u)
	}
}

// namespace creates a namespace for a scenario.
func (c *cluster) namespace(t *testing.T, name string) string {
	t.Helper()
	if err := c.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}); err != nil && !apierrors.IsAlreadyExists(err) {
		t.Fatal(err)
	}
	return name
}

// node adds a node that is ready and has room.
func (c *cluster) node(t *testing.T, node corev1.Node) {
	t.Helper()
	if err := c.Create(t.Context(), &node); err != nil {
		t.Fatal(err)
	}
	before := node.DeepCopy()
	room := corev1.ResourceList{
		corev1.ResourceCPU: resource.MustParse("64"), corev1.ResourceMemory: resource.MustParse("256Gi"), corev1.ResourcePods: resource.MustParse("5000"),
	}
	node.Status.Capacity, node.Status.Allocatable = room, room
	node.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}}
	if err := c.Status().Patch(t.Context(), &node, client.MergeFrom(before)); err != nil {
		t.Fatal(err)
	}
}
