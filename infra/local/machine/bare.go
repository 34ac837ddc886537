package machine

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"time"
)

// StartBare starts MiniStack alone, in the machine's home: without TLS, without checking
// rights, without a deployment, and without keeping anything. This is MiniStack at its
// fastest, for load tests. StartBare returns its address and a function that stops it.
func (m *Machine) StartBare(ctx context.Context) (endpoint string, stop func(), err error) {
	if err := m.FetchMiniStack(ctx); err != nil {
		return "", nil, err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	port := strconv.Itoa(listener.Addr().(*net.TCPAddr).Port)
	listener.Close()
	cmd := exec.Command(m.python(), "-m", "ministack")
	cmd.Dir = m.Home
	cmd.Env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + m.Home, "TMPDIR=" + m.Home, "LANG=C.UTF-8",
		"BIND_HOST=127.0.0.1", "GATEWAY_PORT=" + port, "LOG_LEVEL=ERROR",
		"SFTP_ENABLED=0", "IOT_MTLS_ENABLED=0", "DOCKER_HOST=unix://" + m.path("no-docker"),
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return "", nil, fmt.Errorf("start MiniStack: %w", err)
	}
	stop = func() {
		syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		cmd.Wait()
	}
	endpoint = "http://127.0.0.1:" + port
	for range 1200 {
		if answer, err := http.Get(endpoint + "/_ministack/health"); err == nil {
			answer.Body.Close()
			return endpoint, stop, nil
		}
		select {
		case <-ctx.Done():
			stop()
			return "", nil, ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
	stop()
	return "", nil, &Fault{Says: "MiniStack does not answer.", Try: "make reset up"}
}
