//go:build e2e

package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"k8s.io/client-go/util/retry"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fluid-cloudnative/slipstream/dataflow"
)

// cluster is a real control plane: etcd, kube-apiserver and kube-scheduler. Only the kubelet
// is played: it lets every pod that has a node succeed, or fail if its name begins with fails.
type cluster struct {
	client.Client
	t      *testing.T // that everything ends with
	dir    string     // of logs, data, certificates and kubeconfigs
	config *rest.Config
	plane  []*process                   // the control plane and the controllers
	labels map[string]map[string]string // of each node
	avoid  atomic.Bool                  // see kubelet
	hold   atomic.Bool                  // see holdAnnotation
	held   atomic.Value                 // the resource whose watches do not deliver, a string
	proxy  *httptest.Server             // between the controller and the API server
	direct bool                         // without the proxy
	rows   []row
}

// The tokens of who may do what: everything, and what rbac.yaml says.
const (
	adminToken      = "admin-token"
	controllerToken = "controller-token"
	serviceAccount  = "system:serviceaccount:slipstream-system:slipstream"
)

// newCluster starts a control plane from the programs in a folder.
func newCluster(t *testing.T, programs, crds string) *cluster {
	t.Helper()
	c := &cluster{t: t, dir: t.TempDir(), labels: map[string]map[string]string{}}
	etcd := c.etcd(programs)
	c.apiServer(programs, etcd)
	var err error
	if c.Client, err = client.New(c.config, client.Options{Scheme: scheme.Scheme}); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(crds, "*.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no CRDs in %s: %v", crds, err)
	}
	for _, file := range files {
		c.applyFile(t, file, "")
	}
	c.applyFile(t, "rbac.yaml", "")
	c.applyFile(t, "deployment.yaml", "")
	c.plane = append(c.plane, c.run(filepath.Join(programs, "kube-scheduler"), "--kubeconfig="+c.kubeconfigFor("admin", c.config.Host, adminToken), "--leader-elect=false", "--secure-port=0"))
	c.serve(t)
	go c.kubelet()
	c.startProxy()
	return c
}

// serve waits until all kinds are served.
func (c *cluster) serve(t *testing.T) {
	t.Helper()
	c.eventually(t, "the kinds of operations are served", func(ctx context.Context) bool {
		for _, kind := range append(dataflow.Kinds(), "Dataset", "AlluxioRuntime") {
			if err := c.List(ctx, listOf(kind)); err != nil {
				return false
			}
		}
		return true
	})
}

// remove removes what a file holds, and waits until it is gone.
func (c *cluster) remove(t *testing.T, file string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	u := &unstructured.Unstructured{}
	if err := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(text), 4096).Decode(u); err != nil {
		t.Fatal(err)
	}
	if err := c.Delete(t.Context(), u); err != nil {
		t.Fatal(err)
	}
	c.eventually(t, file+" is gone", func(ctx context.Context) bool {
		return apierrors.IsNotFound(c.Get(ctx, client.ObjectKeyFromObject(u), u)) && apierrors.IsNotFound(c.List(ctx, listOf(dataflow.DataBackup)))
	})
}

func (c *cluster) etcd(programs string) (url string) {
	c.t.Helper()
	c.start(filepath.Join(programs, "etcd"), func() ([]string, string) {
		url = "http://" + c.freePort()
		peers := "http://" + c.freePort()
		return []string{
			"--data-dir=" + filepath.Join(c.dir, "etcd"), "--unsafe-no-fsync", "--log-level=warn",
			"--listen-client-urls=" + url, "--advertise-client-urls=" + url,
			"--listen-peer-urls=" + peers, "--initial-advertise-peer-urls=" + peers, "--initial-cluster=default=" + peers,
		}, url + "/readyz"
	})
	return url
}

func (c *cluster) apiServer(programs, etcd string) {
	c.t.Helper()
	tokens := c.write("tokens.csv", []byte(adminToken+",admin,1,\"system:masters\"\n"+controllerToken+","+serviceAccount+",2,\"system:serviceaccounts\"\n"+viewerToken+",viewer,3\n"))
	audit := c.write("audit.yaml", []byte("apiVersion: audit.k8s.io/v1\nkind: Policy\nomitStages: [RequestReceived]\nrules: [{level: Metadata, users: [\""+serviceAccount+"\"]}, {level: None}]\n"))
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		c.t.Fatal(err)
	}
	key := c.write("service-accounts.key", pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(private)}))
	c.start(filepath.Join(programs, "kube-apiserver"), func() ([]string, string) {
		address := c.freePort()
		c.config = &rest.Config{Host: "https://" + address, BearerToken: adminToken, TLSClientConfig: rest.TLSClientConfig{Insecure: true}, QPS: -1}
		_, port, _ := net.SplitHostPort(address)
		return []string{
			"--etcd-servers=" + etcd, "--bind-address=127.0.0.1", "--secure-port=" + port, "--cert-dir=" + filepath.Join(c.dir, "certificates"),
			"--token-auth-file=" + tokens, "--authorization-mode=RBAC", "--service-cluster-ip-range=10.0.0.0/24",
			"--service-account-issuer=https://localhost", "--service-account-key-file=" + key, "--service-account-signing-key-file=" + key,
			"--enable-admission-plugins=OwnerReferencesPermissionEnforcement",
			"--disable-admission-plugins=ServiceAccount,TaintNodesByCondition",
			"--audit-policy-file=" + audit, "--audit-log-path=" + filepath.Join(c.dir, auditLog),
		}, c.config.Host + "/readyz"
	})
}

const auditLog = "audit.log"

// kubeconfigFor writes a kubeconfig for a server and the owner of a token.
func (c *cluster) kubeconfigFor(name, server, token string) string {
	c.t.Helper()
	config := clientcmdapi.NewConfig()
	config.Clusters["test"] = &clientcmdapi.Cluster{Server: server, InsecureSkipTLSVerify: true}
	config.AuthInfos[name] = &clientcmdapi.AuthInfo{Token: token}
	config.Contexts["test"] = &clientcmdapi.Context{Cluster: "test", AuthInfo: name}
	config.CurrentContext = "test"
	text, err := clientcmd.Write(*config)
	if err != nil {
		c.t.Fatal(err)
	}
	return c.write(name+".kubeconfig", text)
}

func (c *cluster) write(name string, content []byte) string {
	c.t.Helper()
	file := filepath.Join(c.dir, name)
	if err := os.WriteFile(file, content, 0o600); err != nil {
		c.t.Fatal(err)
	}
	return file
}

// freePort returns an address on loopback that nobody listens on. Somebody else may be
// faster to: see start.
func (c *cluster) freePort() string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		c.t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// start runs a server of the control plane until it is ready. If it ends before, as when
// its port has been taken, it is tried again with other arguments.
func (c *cluster) start(program string, args func() (args []string, readyURL string)) {
	c.t.Helper()
	for range 3 {
		args, url := args()
		p := c.run(program, args...)
		deadline := time.After(2 * time.Minute)
		for {
			select {
			case <-p.ended:
			case <-deadline:
				c.t.Fatalf("%s is not ready", program)
			case <-time.After(50 * time.Millisecond):
				if c.ready(url) {
					c.plane = append(c.plane, p)
					return
				}
				continue
			}
			break
		}
	}
	c.t.Fatalf("%s does not start", program)
}

func (c *cluster) ready(url string) bool {
	client, err := rest.HTTPClientFor(&rest.Config{BearerToken: adminToken, TLSClientConfig: rest.TLSClientConfig{Insecure: true}, Timeout: 5 * time.Second})
	if err != nil {
		c.t.Fatal(err)
	}
	response, err := client.Get(url)
	if err != nil {
		return false
	}
	defer response.Body.Close()
	return response.StatusCode == 200
}

// process is a program that runs.
type process struct {
	*exec.Cmd
	ended   chan struct{}
	stopped bool // by the test
}

// run runs a program, at most as long as the test. If the test fails, the end of what the
// program said is shown.
func (c *cluster) run(program string, args ...string) *process {
	c.t.Helper()
	p := &process{exec.Command(program, args...), make(chan struct{}), false}
	name := filepath.Base(program)
	file, err := os.CreateTemp(c.dir, name+"-*.log")
	if err != nil {
		c.t.Fatal(err)
	}
	p.Stdout, p.Stderr = file, file
	if err := p.Start(); err != nil {
		c.t.Fatal(err)
	}
	go func() {
		_ = p.Wait()
		close(p.ended)
	}()
	c.t.Cleanup(func() {
		p.end(os.Kill)
		_ = file.Close()
		if text, err := os.ReadFile(file.Name()); err == nil && c.t.Failed() {
			c.t.Logf("%s said, at last:\n%s", name, text[max(0, len(text)-2000):])
		}
	})
	return p
}

// end sends a signal to a process and waits until it has ended.
func (p *process) end(signal os.Signal) {
	p.stopped = true
	_ = p.Process.Signal(signal)
	<-p.ended
}

// eventually waits until something holds, for three minutes.
func (c *cluster) eventually(t *testing.T, what string, holds func(context.Context) bool) {
	t.Helper()
	c.within(t, 3*time.Minute, 100*time.Millisecond, what, holds)
}

// within waits until something holds.
func (c *cluster) within(t *testing.T, limit, interval time.Duration, what string, holds func(context.Context) bool) {
	t.Helper()
	err := wait.PollUntilContextTimeout(t.Context(), interval, limit, true, func(ctx context.Context) (bool, error) {
		for _, p := range c.plane {
			select {
			case <-p.ended:
				if p.stopped {
					continue
				}
				return false, fmt.Errorf("%s has ended: %s", p.Path, p.ProcessState)
			default:
			}
		}
		return holds(ctx), nil
	})
	if err != nil {
		t.Fatalf("waiting until %s: %v\n%s", what, err, c.state())
	}
}

// state tells what pods there are that have not succeeded, and the warnings.
func (c *cluster) state() string {
	var b strings.Builder
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
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
			phases[fmt.Sprintf("%s %q", list.Items[i].GetNamespace(), phaseOf(&list.Items[i]))]++
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

// holdAnnotation keeps a pod running as long as the cluster holds pods.
const holdAnnotation = "e2e/hold"

// kubelet lets pods run once they have a node, and then end; and pods that are deleted fail. If
// avoid is set, it first makes the scheduler rather not use that node for the next pod, so
// that nothing follows by itself.
func (c *cluster) kubelet() {
	ctx := c.t.Context()
	unfinished := client.MatchingFieldsSelector{Selector: fields.ParseSelectorOrDie("status.phase!=Succeeded,status.phase!=Failed,spec.nodeName!=")}
	avoided := ""
	for ctx.Err() == nil {
		var pods corev1.PodList
		_ = c.List(ctx, &pods, unfinished)
		var wg sync.WaitGroup
		limit := make(chan struct{}, 8)
		for i := range pods.Items {
			pod := &pods.Items[i]
			before := pod.DeepCopy()
			switch {
			case pod.DeletionTimestamp != nil, strings.HasPrefix(pod.Name, "fails"):
				pod.Status.Phase = corev1.PodFailed
			case pod.Status.Phase == corev1.PodPending:
				if c.avoid.Load() && avoided != pod.Spec.NodeName {
					c.taint(ctx, pod.Spec.NodeName, "used", true)
					c.taint(ctx, avoided, "used", false)
					avoided = pod.Spec.NodeName
				}
				pod.Status.Phase = corev1.PodRunning
			case c.hold.Load() && pod.Annotations[holdAnnotation] != "":
				continue
			default:
				pod.Status.Phase = corev1.PodSucceeded
			}
			limit <- struct{}{}
			wg.Add(1)
			go func() {
				defer func() { <-limit; wg.Done() }()
				_ = c.Status().Patch(ctx, pod, client.MergeFrom(before))
				if pod.DeletionTimestamp != nil {
					_ = c.Delete(ctx, pod, client.GracePeriodSeconds(0))
				}
			}()
		}
		wg.Wait()
		select {
		case <-ctx.Done():
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// collect deletes the pods of a namespace whose operation does not exist any more, as the
// garbage collector does.
func (c *cluster) collect(t *testing.T, namespace string) {
	t.Helper()
	var pods corev1.PodList
	if err := c.List(t.Context(), &pods, client.InNamespace(namespace)); err != nil {
		t.Fatal(err)
	}
	exist := map[types.UID]bool{}
	for _, u := range c.operations(t.Context(), namespace) {
		exist[u.GetUID()] = true
	}
	for _, pod := range pods.Items {
		if owner := metav1.GetControllerOf(&pod); owner != nil && !exist[owner.UID] {
			if err := c.Delete(t.Context(), &pod); client.IgnoreNotFound(err) != nil {
				t.Fatal(err)
			}
		}
	}
}

// updateNode changes a node.
func (c *cluster) updateNode(ctx context.Context, name string, change func(*corev1.Node)) error {
	return retry.RetryOnConflict(retry.DefaultBackoff, func() error {
		var node corev1.Node
		if err := c.Get(ctx, client.ObjectKey{Name: name}, &node); err != nil {
			return err
		}
		change(&node)
		return c.Update(ctx, &node)
	})
}

// schedulerSees waits until the scheduler finds a node for a pod with a node selector, or finds
// none. Its watches lag: it would place the next pod by what the node was before.
func (c *cluster) schedulerSees(t *testing.T, selector map[string]string, node bool) {
	t.Helper()
	now := client.GracePeriodSeconds(0)
	for i := 0; ; i++ {
		pod := &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Namespace: "default", GenerateName: "probe-"},
			Spec:       corev1.PodSpec{NodeSelector: selector, Containers: []corev1.Container{{Name: "main", Image: "none"}}},
		}
		if err := c.Create(t.Context(), pod); err != nil {
			t.Fatal(err)
		}
		found := false
		c.eventually(t, fmt.Sprintf("the scheduler has seen a pod for %v", selector), func(ctx context.Context) bool {
			if c.Get(ctx, client.ObjectKeyFromObject(pod), pod) != nil {
				return false
			}
			found = pod.Spec.NodeName != ""
			return found || !node && slices.ContainsFunc(pod.Status.Conditions, func(p corev1.PodCondition) bool {
				return p.Type == corev1.PodScheduled && p.Reason == corev1.PodReasonUnschedulable
			})
		})
		if err := c.Delete(t.Context(), pod, now); client.IgnoreNotFound(err) != nil {
			t.Fatal(err)
		}
		if found == node {
			return
		}
		if i == 100 {
			t.Fatalf("the scheduler places pods for %v on %s", selector, pod.Spec.NodeName)
		}
	}
}

// cordon makes a node unschedulable, or schedulable again, and waits until the scheduler knows.
func (c *cluster) cordon(t *testing.T, name string, cordoned bool) {
	t.Helper()
	defer c.schedulerSees(t, map[string]string{hostname: name}, !cordoned)
	if err := c.updateNode(t.Context(), name, func(node *corev1.Node) { node.Spec.Unschedulable = cordoned }); err != nil {
		t.Fatal(err)
	}
}

// taint adds a taint PreferNoSchedule to a node, or removes it.
func (c *cluster) taint(ctx context.Context, name, key string, add bool) {
	if name == "" {
		return
	}
	if err := c.updateNode(ctx, name, func(node *corev1.Node) {
		node.Spec.Taints = slices.DeleteFunc(node.Spec.Taints, func(t corev1.Taint) bool { return t.Key == key })
		if add {
			node.Spec.Taints = append(node.Spec.Taints, corev1.Taint{Key: key, Effect: corev1.TaintEffectPreferNoSchedule})
		}
	}); client.IgnoreNotFound(err) != nil && ctx.Err() == nil {
		c.t.Errorf("taint of %s: %v", name, err)
	}
}

// controller starts the controller, with the rights of rbac.yaml. Its watches go through a proxy
// that can hold them back.
func (c *cluster) controller(args ...string) *process {
	c.t.Helper()
	server := c.proxy.URL
	if c.direct {
		server = c.config.Host
	}
	kubeconfig := c.kubeconfigFor("slipstream", server, controllerToken)
	p := c.run(os.Getenv(controllerVariable), append(args, "--kubeconfig="+kubeconfig, "--metrics-bind-address=0", "--health-probe-bind-address=0",
		"--expose="+instanceType, "--leader-election-namespace=slipstream-system")...)
	c.plane = append(c.plane, p)
	return p
}

// startProxy starts the proxy.
func (c *cluster) startProxy() {
	target, err := url.Parse(c.config.Host)
	if err != nil {
		c.t.Fatal(err)
	}
	c.proxy = httptest.NewUnstartedServer(&httputil.ReverseProxy{
		Rewrite:       func(r *httputil.ProxyRequest) { r.SetURL(target) },
		Transport:     &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, ForceAttemptHTTP2: true},
		FlushInterval: -1,
		ErrorLog:      log.New(io.Discard, "", 0),
		ModifyResponse: func(r *http.Response) error {
			if r.Request.URL.Query().Get("watch") != "" {
				r.Body = &heldBody{r.Body, c, path.Base(r.Request.URL.Path)}
			}
			return nil
		},
	})
	c.proxy.EnableHTTP2 = true
	c.proxy.StartTLS() // client-go sends tokens over TLS only
	c.t.Cleanup(func() {
		c.proxy.CloseClientConnections()
		c.proxy.Close()
	})
}

// heldBody is the stream of a watch, which does not deliver while its resource is held.
type heldBody struct {
	io.ReadCloser
	cluster  *cluster
	resource string
}

func (b *heldBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	for held, _ := b.cluster.held.Load().(string); held == b.resource && b.cluster.t.Context().Err() == nil; held, _ = b.cluster.held.Load().(string) {
		time.Sleep(10 * time.Millisecond)
	}
	return n, err
}

// checkRights holds what the controller did against what rbac.yaml allows.
func (c *cluster) checkRights(t *testing.T) {
	t.Helper()
	unused := map[string]bool{}
	text, err := os.ReadFile("rbac.yaml")
	if err != nil {
		t.Fatal(err)
	}
	decoder := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(text), 4096)
	for {
		var role rbacv1.ClusterRole // or another object, without rules
		if err := decoder.Decode(&role); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		for _, rule := range role.Rules {
			for _, resource := range rule.Resources {
				for _, verb := range rule.Verbs {
					right := verb + " " + resource
					switch {
					case strings.HasSuffix(resource, "/finalizers"): // which admission asks for
					case right == "get pods": // if the watch is behind
					case right == "patch events": // if one comes back
					case verb == "list": // if the API server cannot stream one
					default:
						unused[right] = true
					}
				}
			}
		}
	}
	audit, err := os.Open(filepath.Join(c.dir, auditLog))
	if err != nil {
		t.Fatal(err)
	}
	defer audit.Close()
	requests := 0
	for decoder := json.NewDecoder(audit); ; requests++ {
		var entry struct {
			Verb           string
			ObjectRef      struct{ Resource, Subresource string }
			ResponseStatus struct{ Code int }
		}
		if err := decoder.Decode(&entry); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		resource := entry.ObjectRef.Resource
		if entry.ObjectRef.Subresource != "" {
			resource += "/" + entry.ObjectRef.Subresource
		}
		delete(unused, entry.Verb+" "+resource)
		if entry.ResponseStatus.Code == 403 {
			t.Errorf("the controller may not %s %s", entry.Verb, resource)
		}
	}
	for right := range unused {
		t.Errorf("the controller never used its right to %s", right)
	}
	fmt.Printf("%d requests of the controller within its rights; rights that it did not use: %d\n", requests, len(unused))
}

// applyFile creates what a file holds, in a namespace if it is given.
func (c *cluster) applyFile(t *testing.T, file, namespace string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	c.apply(t, string(text), namespace)
}

func (c *cluster) apply(t *testing.T, text, namespace string) {
	t.Helper()
	decoder := yaml.NewYAMLOrJSONDecoder(strings.NewReader(text), 4096)
	for {
		u := &unstructured.Unstructured{}
		if err := decoder.Decode(u); errors.Is(err, io.EOF) {
			return
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
	}
}

// node adds a node that is ready and has room.
func (c *cluster) node(t *testing.T, node corev1.Node) {
	t.Helper()
	c.labels[node.Name] = node.Labels
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
