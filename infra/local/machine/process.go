package machine

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// emulator is the Python program that starts MiniStack with our patches.
//
//go:embed emulator.py
var emulator []byte

// DefaultPort is used when it is free and no other port is asked for.
const DefaultPort = 4566

// Running reports whether the machine's process is alive.
func (m *Machine) Running() bool {
	return m.state.PID > 0 && m.state.Ticks != "" && startTicks(m.state.PID) == m.state.Ticks
}

// Port is the port that the machine listens on, or last listened on.
func (m *Machine) Port() int { return m.state.Port }

// Start starts the machine unless it runs, and returns when it answers. Port 0 stands
// for the port of last time, or any free one.
func (m *Machine) Start(ctx context.Context, port int) error {
	if m.Running() {
		if port != 0 && port != m.state.Port {
			return &Fault{
				Says: fmt.Sprintf("The one-machine run is up already, on port %d.", m.state.Port),
				Try:  fmt.Sprintf("make down up PORT=%d", port),
			}
		}
		if started, err := os.ReadFile(m.path("emulator.py")); err == nil && bytes.Equal(started, emulator) && certificateIsGood(m.path("tls")) && outsideIsGood(m.path("tls")) {
			return m.waitUntilHealthy(ctx, nil)
		}
		// The patches, its names, or the hosts that are stood in for have changed since the machine was started.
		if err := m.Stop(ctx); err != nil {
			return err
		}
	}
	if m.state.PID != 0 {
		// The machine did not end by Stop: it crashed, or the computer was rebooted.
		m.state.PID, m.state.Ticks = 0, ""
		if err := m.forget(); err != nil {
			return err
		}
	}
	for _, dir := range []string{"state", "s3", "tmp"} {
		if err := os.MkdirAll(m.path(dir), 0o700); err != nil {
			return err
		}
	}
	if err := ensureCertificate(m.path("tls")); err != nil {
		return fmt.Errorf("make a certificate: %w", err)
	}
	if err := ensureOutside(m.path("tls")); err != nil {
		return fmt.Errorf("make a certificate: %w", err)
	}
	if err := m.choosePort(port); err != nil {
		return err
	}
	if m.state.Outside == 0 || !free(m.state.Outside) {
		var err error
		if m.state.Outside, err = freePort(); err != nil {
			return err
		}
	}
	script := m.path("emulator.py")
	if err := os.WriteFile(script, emulator, 0o600); err != nil {
		return err
	}
	if m.Starter != nil {
		script = m.path("starter.py")
		if err := os.WriteFile(script, m.Starter, 0o600); err != nil {
			return err
		}
	}
	log, err := os.OpenFile(m.Log(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()

	cmd := exec.Command(m.python(), script)
	cmd.Dir = m.Home
	cmd.Env = m.emulatorEnvironment()
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // outlives us, and can be ended as a group
	if err := cmd.Start(); err != nil {
		return &Fault{Says: "MiniStack could not be started.", Try: "rm -rf " + m.venv() + " && make up", Cause: err}
	}
	m.state.PID, m.state.StartedAt, m.state.Ticks = cmd.Process.Pid, time.Now().UTC(), startTicks(cmd.Process.Pid)
	if err := m.save(); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	return m.waitUntilHealthy(ctx, ended)
}

// Stop ends the machine and every function in it. Its tables, buckets and functions are
// kept for the next Start. Stopping a machine that does not run is no error.
func (m *Machine) Stop(ctx context.Context) error {
	if !m.Running() {
		return nil
	}
	pid := m.state.PID
	// The emulator writes its state only when it ends in order.
	if err := syscall.Kill(pid, syscall.SIGTERM); err != nil && !errors.Is(err, syscall.ESRCH) {
		return err
	}
	asked := time.Now()
	for m.Running() && time.Since(asked) < 30*time.Second && ctx.Err() == nil {
		time.Sleep(50 * time.Millisecond)
		if time.Since(asked) > 2*time.Second {
			// A function that still works delays the end, while its calls are refused. Its
			// work is resumed after the next start, as after any crash.
			m.killFunctions()
		}
	}
	killed := m.Running()
	syscall.Kill(-pid, syscall.SIGKILL) // whatever is left of its group
	for m.Running() {
		time.Sleep(10 * time.Millisecond)
	}
	m.killFunctions()
	m.state.PID, m.state.Ticks = 0, ""
	if killed {
		if err := m.forget(); err != nil {
			return err
		}
		return &Fault{Says: "MiniStack did not end by itself and was killed, so what it held is lost.", Try: "make up   (it starts empty)"}
	}
	return m.save()
}

func (m *Machine) killFunctions() {
	functions, err := m.Functions()
	if err != nil {
		return // no /proc: then there are none of ours either
	}
	for _, f := range functions {
		syscall.Kill(f.PID, syscall.SIGKILL)
	}
}

// forget deletes the state of a machine that did not end in order: an incomplete state
// is worse than none.
func (m *Machine) forget() error {
	for _, name := range []string{"state", "s3", "deployed"} {
		if err := os.RemoveAll(m.path(name)); err != nil {
			return err
		}
	}
	return m.save()
}

// Remove stops the machine and deletes its data.
func (m *Machine) Remove(ctx context.Context) error {
	stopped := m.Stop(ctx)
	if err := os.RemoveAll(m.Home); err != nil {
		return err
	}
	var fault *Fault
	if errors.As(stopped, &fault) {
		return nil // nothing is held any more, so nothing was lost
	}
	return stopped
}

// Function is a running process of a Lambda function.
type Function struct {
	Name string // as deployed
	PID  int
}

// Functions returns the processes of all functions that run now.
func (m *Machine) Functions() ([]Function, error) {
	environments, err := filepath.Glob("/proc/[0-9]*/environ")
	if err != nil {
		return nil, err
	}
	api := []byte("\x00AWS_LAMBDA_FUNCTION_NAME=")
	home := []byte("\x00STATE_DIR=" + m.path("state") + "\x00")
	var found []Function
	for _, file := range environments {
		content, err := os.ReadFile(file)
		if err != nil {
			continue // ended, or somebody else's
		}
		content = append([]byte{0}, content...)
		_, after, ok := bytes.Cut(content, api)
		if !ok || !bytes.Contains(content, home) {
			continue
		}
		name, _, _ := bytes.Cut(after, []byte{0})
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		if err == nil {
			found = append(found, Function{Name: string(name), PID: pid})
		}
	}
	return found, nil
}

func (m *Machine) choosePort(port int) error {
	switch {
	case port != 0:
		if !free(port) {
			return &Fault{
				Says: fmt.Sprintf("Port %d is in use by another program.", port),
				Try:  "make up   (it picks a free port)",
			}
		}
	case m.state.Port != 0:
		// The deployment's addresses contain the port, so it must not change.
		port = m.state.Port
		if !free(port) {
			return &Fault{
				Says: fmt.Sprintf("Port %d, where the one-machine run was, is in use by another program.", port),
				Try:  "make reset up   (it picks a free port and starts empty)",
			}
		}
	case free(DefaultPort):
		port = DefaultPort
	default:
		var err error
		if port, err = freePort(); err != nil {
			return err
		}
	}
	m.state.Port = port
	return nil
}

func freePort() (int, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port, nil
}

func free(port int) bool {
	listener, err := net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(port))
	if err != nil {
		return false
	}
	listener.Close()
	return true
}

// emulatorEnvironment returns the environment of the emulator, which the functions
// inherit. It has nothing from the terminal that started the machine.
func (m *Machine) emulatorEnvironment() []string {
	return []string{
		"PATH=" + os.Getenv("PATH"),
		"HOME=" + m.Home,
		"TMPDIR=" + m.path("tmp"),
		"LANG=C.UTF-8",
		"AUTH=true",
		"BIND_HOST=127.0.0.1",
		"GATEWAY_PORT=" + strconv.Itoa(m.state.Port),
		"MINISTACK_HOST=localhost",
		"MINISTACK_REGION=" + Region,
		"USE_SSL=1",
		"MINISTACK_SSL_CERT=" + m.path("tls", certFile),
		"MINISTACK_SSL_KEY=" + m.path("tls", keyFile),
		"AWS_ENDPOINT_URL=" + m.Endpoint(),
		"AWS_CA_BUNDLE=" + m.path("tls", caFile),
		"AWS_ACCESS_KEY_ID=" + AccessKeyID,
		"AWS_SECRET_ACCESS_KEY=" + m.state.Secret,
		"AWS_REGION=" + Region,
		// The functions' ways to platforms' APIs lead to stand-ins, and nowhere else.
		"HTTPS_PROXY=http://" + m.outside(),
		"KEYPOOL_SHOPS_PROXY=http://" + m.outside(),
		"NO_PROXY=localhost,.localhost,127.0.0.1",
		"SSL_CERT_FILE=" + m.path("tls", outsideFile),
		"PERSIST_STATE=1",
		"STATE_DIR=" + m.path("state"),
		"S3_PERSIST=1",
		"S3_DATA_DIR=" + m.path("s3"),
		"LOG_LEVEL=WARNING",
		// These parts would listen on other ports, or look for Docker.
		"SFTP_ENABLED=0",
		"IOT_MTLS_ENABLED=0",
		"DOCKER_HOST=unix://" + m.path("no-docker"),
	}
}

func (m *Machine) waitUntilHealthy(ctx context.Context, ended <-chan error) error {
	client, err := m.HTTPClient()
	if err != nil {
		return err
	}
	client.Timeout = 2 * time.Second
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, m.Endpoint()+"/_ministack/health", nil)
		if err != nil {
			return err
		}
		answer, err := client.Do(request)
		if err == nil {
			io.Copy(io.Discard, answer.Body)
			answer.Body.Close()
			if answer.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-ended:
			return &Fault{Says: "MiniStack ended at its start: " + lastLine(m.Log()), Try: "tail " + m.Log()}
		case <-ctx.Done():
			return &Fault{Says: "MiniStack does not answer.", Try: "tail " + m.Log()}
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// startTicks returns the time at which a process was started, in the kernel's unit, ""
// if there is no such process or it has ended. It tells a process from a later one with
// the same number.
func startTicks(pid int) string {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return ""
	}
	// The second field is the name in parentheses, which may contain any character.
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if len(fields) < 20 || fields[0] == "Z" {
		return ""
	}
	return fields[19]
}

func lastLine(file string) string {
	content, _ := os.ReadFile(file)
	lines := strings.Split(strings.TrimSpace(string(content)), "\n")
	return lines[len(lines)-1]
}
