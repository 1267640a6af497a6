package main

import (
	"bufio"
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"heapsnap/cdp"
)

// k8sScript finds the process in the container.
//
//go:embed k8s.js
var k8sScript string

// A pod is a container of Kubernetes, reached by the user's kubectl.
type pod struct {
	namespace, name, container string
	pid                        int    // in the container, 0 if there is one Node.js process only
	command                    string // what heapsnap is to do there
}

func parsePod(text string, pid int) (pod, error) {
	parts := strings.Split(text, "/")
	if len(parts) < 2 || len(parts) > 3 || parts[0] == "" || parts[1] == "" {
		return pod{}, usagef("--k8s %s: want NAMESPACE/POD or NAMESPACE/POD/CONTAINER", text)
	}
	p := pod{namespace: parts[0], name: parts[1], pid: pid}
	if len(parts) == 3 {
		p.container = parts[2]
	}
	return p, nil
}

// kubectl is one command about the pod.
func (p pod) kubectl(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "kubectl", append([]string{"--namespace", p.namespace}, args...)...)
	cmd.WaitDelay = 2 * time.Second
	return cmd
}

// nodePaths are where images have Node: on PATH, in Google's distroless, in the
// official images.
var nodePaths = []string{"node", "/nodejs/bin/node", "/usr/local/bin/node"}

// inPod is what the script in the container says.
type inPod struct {
	PID    int    `json:"pid"`
	Port   int    `json:"port"`
	Opened bool   `json:"opened"`
	Error  string `json:"error"`
}

// errNoExec says that nothing can be run in the container.
var errNoExec = errors.New("nothing can be run in the container")

// open opens the process's inspector from within the container.
func (p pod) open(ctx context.Context) (inPod, error) {
	var last string
	for _, node := range nodePaths {
		args := []string{"exec", p.name}
		if p.container != "" {
			args = append(args, "--container", p.container)
		}
		cmd := p.kubectl(ctx, append(args, "--", node, "-e", k8sScript, strconv.Itoa(p.pid))...)
		var errs bytes.Buffer
		cmd.Stderr = &errs
		out, err := cmd.Output()
		if errors.Is(err, exec.ErrNotFound) {
			return inPod{}, fmt.Errorf("--k8s: kubectl is not on PATH")
		}
		if ctx.Err() != nil {
			return inPod{}, context.Cause(ctx)
		}
		if err != nil {
			last = firstLine(errs.String(), err)
			continue
		}
		var o inPod
		if err := json.Unmarshal(out, &o); err != nil {
			return o, fmt.Errorf("kubectl exec %s: it printed %.80q and not what heapsnap asked for", p.name, out)
		}
		if o.Error != "" {
			return o, fmt.Errorf("%s/%s: %s", p.namespace, p.name, o.Error)
		}
		return o, nil
	}
	return inPod{}, fmt.Errorf("%w: %s", errNoExec, last)
}

func firstLine(text string, err error) string {
	line, _, _ := strings.Cut(strings.TrimSpace(text), "\n")
	if line == "" {
		return err.Error()
	}
	return line
}

// A tunnel is a kubectl port-forward.
type tunnel struct {
	address string
	stop    func()
	said    func() string // what kubectl said on stderr
}

var forwarding = regexp.MustCompile(`Forwarding from (127\.0\.0\.1:\d+)`)

// tunnelPatience is how long kubectl may take to forward a port.
const tunnelPatience = 20 * time.Second

func (p pod) forward(ctx context.Context, port int) (*tunnel, error) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx)) // it is needed to close the inspector, too
	cmd := p.kubectl(ctx, "port-forward", "--address", "127.0.0.1", "pod/"+p.name, fmt.Sprintf(":%d", port))
	var mu sync.Mutex
	var errs bytes.Buffer
	cmd.Stderr = writerTo(func(b []byte) {
		mu.Lock()
		defer mu.Unlock()
		if errs.Len() < 4096 {
			errs.Write(b)
		}
	})
	said := func() string {
		mu.Lock()
		defer mu.Unlock()
		return strings.TrimSpace(errs.String())
	}
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		cancel()
		return nil, fmt.Errorf("kubectl port-forward: %w", err)
	}
	address := make(chan string, 1)
	ended := make(chan struct{})
	go func() {
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			if m := forwarding.FindStringSubmatch(lines.Text()); m != nil {
				select {
				case address <- m[1]:
				default:
				}
			}
		}
		_ = cmd.Wait()
		close(ended)
	}()
	stop := func() {
		cancel()
		<-ended
	}
	select {
	case a := <-address:
		return &tunnel{a, stop, said}, nil
	case <-ended:
		stop()
		return nil, fmt.Errorf("kubectl port-forward to %s ended: %s", p.name, firstLine(said(), errors.New("it said nothing")))
	case <-time.After(tunnelPatience):
		stop()
		return nil, fmt.Errorf("kubectl port-forward to %s: no port within %s", p.name, tunnelPatience)
	}
}

type writerTo func([]byte)

func (w writerTo) Write(p []byte) (int, error) {
	w(p)
	return len(p), nil
}

// reach makes a way to the process's inspector. closing undoes it: it closes the
// inspector, if this opened it, through another tunnel if the first has broken.
func (p pod) reach(ctx context.Context, keep bool) (target cdp.Target, closing func() error, err error) {
	o, err := p.open(ctx)
	switch {
	case errors.Is(err, errNoExec):
		// The inspector may be open all the same, as with --inspect.
		if target, closing, ferr := p.dial(ctx, inPod{Port: 9229}, keep); ferr == nil {
			return target, closing, nil
		}
		return target, nil, fmt.Errorf("%s/%s: %w; and no inspector is open on port 9229. A debug container can reach it:\n%s", p.namespace, p.name, err, p.debugCommand(ctx))
	case err != nil:
		return target, nil, err
	}
	return p.dial(ctx, o, keep)
}

func (p pod) dial(ctx context.Context, o inPod, keep bool) (target cdp.Target, closing func() error, err error) {
	var t *tunnel
	// Tunnels fail at times where the next try does not: nothing was asked of the
	// program yet.
	const tries = 3
	for try := 1; ; try++ {
		if t, err = p.forward(ctx, o.Port); err == nil {
			if target, err = cdp.Discover(ctx, t.address); err == nil {
				break
			}
			t.stop()
		}
		if try == tries || ctx.Err() != nil {
			return target, nil, errors.Join(err, p.closeAgain(ctx, o, keep))
		}
	}
	return target, func() error {
		defer t.stop()
		if !o.Opened || keep {
			return nil
		}
		if _, err := cdp.Discover(context.WithoutCancel(ctx), t.address); err == nil {
			return cdp.CloseInspector(ctx, target)
		}
		return p.closeAgain(ctx, o, keep)
	}, nil
}

// closeAgain closes the inspector that was opened, by a tunnel of its own.
func (p pod) closeAgain(ctx context.Context, o inPod, keep bool) error {
	if !o.Opened || keep {
		return nil
	}
	t, err := p.forward(ctx, o.Port)
	if err == nil {
		defer t.stop()
		var target cdp.Target
		if target, err = cdp.Discover(context.WithoutCancel(ctx), t.address); err == nil {
			err = cdp.CloseInspector(ctx, target)
		}
	}
	if err != nil {
		return fmt.Errorf("the inspector of process %d in %s stays open on its port %d: %w", o.PID, p.name, o.Port, err)
	}
	return nil
}

// debugCommand is how to run heapsnap beside the container: in its namespace of
// processes and, as signals need that, as its user.
func (p pod) debugCommand(ctx context.Context) string {
	var spec struct {
		Spec struct {
			SecurityContext struct {
				RunAsUser *int64 `json:"runAsUser"`
			} `json:"securityContext"`
			Containers []struct {
				Name            string `json:"name"`
				SecurityContext struct {
					RunAsUser *int64 `json:"runAsUser"`
				} `json:"securityContext"`
			} `json:"containers"`
		} `json:"spec"`
	}
	container, user := p.container, "UID"
	if out, err := p.kubectl(ctx, "get", "pod", p.name, "--output", "json").Output(); err == nil && json.Unmarshal(out, &spec) == nil {
		if id := spec.Spec.SecurityContext.RunAsUser; id != nil {
			user = strconv.FormatInt(*id, 10)
		}
		for _, c := range spec.Spec.Containers {
			if container == "" {
				container = c.Name
			}
			if id := c.SecurityContext.RunAsUser; c.Name == container && id != nil {
				user = strconv.FormatInt(*id, 10)
			}
		}
	}
	if container == "" {
		container = "CONTAINER"
	}
	command := fmt.Sprintf("%s --pid %d", p.command, max(p.pid, 1))
	if p.command == "capture" {
		command += " -o - > heap.heapsnapshot"
	}
	lines := []string{
		fmt.Sprintf(`  echo '{"securityContext":{"runAsUser":%s}}' > uid.json`, user),
		fmt.Sprintf("  kubectl debug -n %s %s --image=IMAGE --target=%s --custom=uid.json -c heapsnap -- sleep 3600", p.namespace, p.name, container),
		fmt.Sprintf("  kubectl exec -n %s %s -c heapsnap -- heapsnap %s", p.namespace, p.name, command),
		"IMAGE has heapsnap in it (deploy/Dockerfile)",
	}
	if user == "UID" {
		lines[len(lines)-1] += "; UID is the user that the container's image sets"
	}
	return strings.Join(lines, "\n")
}
