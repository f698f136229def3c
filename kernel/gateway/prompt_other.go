//go:build !linux

package gateway

import "net"

// acknowledging is for Linux, which alone has the option.
func acknowledging(conn net.Conn) net.Conn { return conn }
