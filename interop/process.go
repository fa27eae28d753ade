//go:build interop

package interop

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"
)

const (
	// startTimeout is how long a peer may take until it answers. It is only
	// reached when the peer is broken, also on a machine with much else to do.
	startTimeout = 3 * time.Minute
	// stopTimeout is how long a peer may take to end by itself.
	stopTimeout = 5 * time.Second
	// runTimeout bounds one command, such as kinit or curl. To provision a domain
	// of Samba takes a minute on a busy machine.
	runTimeout = 5 * time.Minute
)

// sbinDirs hold daemons; an ordinary user's PATH leaves them out.
var sbinDirs = [...]string{"/usr/local/sbin", "/usr/sbin", "/sbin"}

// need finds a program and else tells which Debian package has it.
func need(program, debianPackage string) (string, error) {
	if path, err := exec.LookPath(program); err == nil {
		return path, nil
	}
	for _, dir := range sbinDirs {
		if path, err := exec.LookPath(filepath.Join(dir, program)); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("interop: %s is missing: install Debian's package %s, or all peers with interop/peers.sh", program, debianPackage)
}

// needFile is need for what is no program, such as a plug-in.
func needFile(path, debianPackage string) error {
	if _, err := os.Stat(path); err != nil {
		return fmt.Errorf("interop: %w: install Debian's package %s, or all peers with interop/peers.sh", err, debianPackage)
	}
	return nil
}

// command is one call of a program that ends by itself.
type command struct {
	path  string
	args  []string
	env   []string
	stdin string
	dir   string
}

// run returns what the program wrote to standard output.
func (c command) run(ctx context.Context) (string, error) {
	stdout, _, err := c.runBoth(ctx)
	return stdout, err
}

// runBoth is run with what went to standard error. Its own error carries both,
// since Kerberos tools complain on either.
func (c command) runBoth(ctx context.Context) (stdout, stderr string, err error) {
	ctx, cancel := context.WithTimeout(ctx, runTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, c.path, c.args...)
	cmd.Env = c.env
	cmd.Dir = c.dir
	cmd.Stdin = strings.NewReader(c.stdin)
	var out, errOut strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &errOut
	if err = cmd.Run(); err != nil {
		err = fmt.Errorf("%s %s: %w\n%s%s", filepath.Base(c.path), strings.Join(c.args, " "), err, &out, &errOut)
	}
	return out.String(), errOut.String(), err
}

// cleanEnv is the environment without what would lead a peer or a client to
// the machine's own Kerberos, a proxy or another language, and with add.
func cleanEnv(add ...string) []string {
	env := slices.DeleteFunc(os.Environ(), func(kv string) bool {
		name, _, _ := strings.Cut(kv, "=")
		return strings.HasPrefix(name, "KRB5") || strings.HasPrefix(name, "LC_") || name == "LANG" ||
			strings.HasSuffix(strings.ToLower(name), "_proxy")
	})
	return append(append(env, "LC_ALL=C.UTF-8"), add...)
}

// process is a running peer, the leader of a process group of its own.
type process struct {
	name    string
	pid     int
	outFile string
	exited  chan struct{} // closed when the leader has ended
	exitErr error         // valid after exited is closed
}

// processSpec says how to start a process.
type processSpec struct {
	name    string // for messages and for the name of the output's file
	path    string
	args    []string
	env     []string
	dir     string              // working directory and place of the output
	user    *syscall.Credential // nil: as the test itself
	outFile string              // empty: dir/name.out
}

// startProcess starts a peer whose output goes to a file.
func startProcess(s processSpec) (*process, error) {
	if s.outFile == "" {
		s.outFile = filepath.Join(s.dir, s.name+".out")
	}
	out, err := os.OpenFile(s.outFile, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, fmt.Errorf("interop: cannot start %s: %w", s.name, err)
	}
	defer out.Close()
	cmd := exec.Command(s.path, s.args...)
	cmd.Env, cmd.Dir, cmd.Stdout, cmd.Stderr = s.env, s.dir, out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Setpgid: true,
		// SIGTERM, not SIGKILL: Apache and Samba have to end their children.
		Pdeathsig:  syscall.SIGTERM,
		Credential: s.user,
	}
	p := &process{name: s.name, outFile: s.outFile, exited: make(chan struct{})}
	started := make(chan error, 1)
	go func() {
		// The kernel takes the death of the thread that forked for that of the
		// parent. This goroutine keeps its thread until the child has ended.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		if err == nil {
			p.pid = cmd.Process.Pid
		}
		started <- err
		if err == nil {
			p.exitErr = cmd.Wait()
			close(p.exited)
		}
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("interop: cannot start %s: %w", s.name, err)
	}
	return p, nil
}

// waitReady returns when ready is true, and fails when the process ends before
// that or the time is up.
func (p *process) waitReady(ready func() bool) error {
	timeout := time.NewTimer(startTimeout)
	defer timeout.Stop()
	poll := time.NewTicker(5 * time.Millisecond)
	defer poll.Stop()
	for !ready() {
		select {
		case <-p.exited:
			return fmt.Errorf("interop: %s has ended at its start: %v\n%s", p.name, p.exitErr, tail(p.outFile))
		case <-timeout.C:
			return fmt.Errorf("interop: %s does not answer after %v\n%s", p.name, startTimeout, tail(p.outFile))
		case <-poll.C:
		}
	}
	return nil
}

// stop ends the process group: politely first, so that a server takes its
// children and shared memory with it.
func (p *process) stop() {
	_ = syscall.Kill(-p.pid, syscall.SIGTERM)
	select {
	case <-p.exited:
	case <-time.After(stopTimeout):
	}
	_ = syscall.Kill(-p.pid, syscall.SIGKILL)
	<-p.exited
}

// listening reports whether somebody accepts TCP connections at addr.
func listening(addr string) bool {
	conn, err := net.DialTimeout("tcp", addr, time.Second)
	if err != nil {
		return false
	}
	conn.Close()
	return true
}

// freePorts returns n ports of host that are free for TCP and UDP alike. They
// may be taken again before the peer binds them; see [retryPorts].
func freePorts(host string, n int) ([]int, error) {
	var ports []int
	for len(ports) < n {
		l, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
		if err != nil {
			return nil, fmt.Errorf("interop: no free port: %w", err)
		}
		defer l.Close() // held until all are found, so that they differ
		port := l.Addr().(*net.TCPAddr).Port
		u, err := net.ListenPacket("udp", l.Addr().String())
		if err != nil {
			continue
		}
		defer u.Close()
		ports = append(ports, port)
	}
	return ports, nil
}

// retryPorts calls start with n free ports, and again with others when it
// fails, since between finding a port and binding it somebody else may come.
func retryPorts(host string, n int, start func(ports []int) error) error {
	var errs []error
	for range 3 {
		ports, err := freePorts(host, n)
		if err != nil {
			return err
		}
		if err = start(ports); err == nil {
			return nil
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}
