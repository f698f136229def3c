package gatewaytest

// Behind calls do: no process can be stopped here.
func (s *Server) Behind(do func()) { do() }
