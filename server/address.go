package server

import (
	"net"
	"os"
)

// reachable returns the address under which others reach a listener that was
// opened at addr: the name that the operator gave, the port that it got. For a
// listener on all interfaces it is the machine's name.
func reachable(l net.Listener, addr string) string {
	if l == nil {
		return ""
	}
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return l.Addr().String()
	}
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		return l.Addr().String()
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		if host, err = os.Hostname(); err != nil {
			return l.Addr().String()
		}
	}
	return net.JoinHostPort(host, port)
}
