package machine

import (
	"context"
	"io"
	"net"
	"strconv"
)

// ContainersEndpoint is the address of every AWS service for containers, while Bridge runs.
func (m *Machine) ContainersEndpoint() string {
	return "https://" + net.JoinHostPort(containersGateway.String(), strconv.Itoa(m.state.Port))
}

// Bridge forwards connections from Docker's containers to the machine, which itself
// listens on loopback only, until ctx ends. The machine checks these requests like all
// others. Bridge calls ready once it accepts connections.
func (m *Machine) Bridge(ctx context.Context, ready func()) error {
	port := strconv.Itoa(m.state.Port)
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", net.JoinHostPort(containersGateway.String(), port))
	if err != nil {
		return &Fault{Says: "Docker's network is not there, or its port is taken.", Try: "ip addr show docker0", Cause: err}
	}
	stop := context.AfterFunc(ctx, func() { listener.Close() })
	defer stop()
	ready()
	for {
		from, err := listener.Accept()
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		go handOn(from, net.JoinHostPort("127.0.0.1", port))
	}
}

// handOn copies in both directions until both sides are closed.
func handOn(from net.Conn, address string) {
	defer from.Close()
	to, err := net.Dial("tcp", address)
	if err != nil {
		return
	}
	defer to.Close()
	done := make(chan struct{})
	go func() {
		defer close(done)
		io.Copy(to, from)
		to.(*net.TCPConn).CloseWrite()
	}()
	io.Copy(from, to)
	from.(*net.TCPConn).CloseWrite()
	<-done
}
