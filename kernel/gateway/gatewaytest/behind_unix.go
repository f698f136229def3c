//go:build unix

package gatewaytest

import "syscall"

// Behind calls do while the server stands still.
func (s *Server) Behind(do func()) {
	s.t.Helper()
	if err := s.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		s.t.Fatal(err)
	}
	defer s.cmd.Process.Signal(syscall.SIGCONT)
	do()
}
