package session

import (
	"context"

	"github.com/mcp-code-executor/mcp-code-executor/kernel"
	"github.com/mcp-code-executor/mcp-code-executor/session/notebook"
)

// ExecuteFresh runs the request in a kernel of its own, in the session's
// environment; the kernel ends with the run. The session's variables are
// neither seen nor changed.
func (s *Session) ExecuteFresh(r Request) (*Execution, error) {
	r.fresh = true
	m := s.manager
	f, err := m.openFresh(s)
	if err != nil {
		return nil, err
	}
	e, err := f.Execute(r)
	if err != nil {
		m.closeFresh(f)
		return nil, err
	}
	m.wg.Go(func() {
		<-e.Done()
		m.closeFresh(f)
	})
	return e, nil
}

// openFresh makes a session without a place in the list of sessions.
func (m *Manager) openFresh(s *Session) (*Session, error) {
	config := s.Config()
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case m.closed:
		return nil, ErrClosed
	case len(m.fresh) >= maxSessions:
		return nil, &TooManySessionsError{Limit: maxSessions}
	}
	f := newSession(m, s.name+notebook.FreshSuffix, config)
	f.alone = true
	m.fresh[f] = s
	return f, nil
}

func (m *Manager) closeFresh(f *Session) {
	ctx, cancel := context.WithTimeout(context.Background(), stopTime)
	defer cancel()
	f.close(ctx)
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.fresh, f)
}

// asScript is the kernel's result as a process would tell it. A script that has its
// kernel to itself may end the process (os._exit): that is its end, and nothing was
// lost. In a session a status of 0 is how scripts end.
func (e *Execution) asScript(r kernel.Result) kernel.Result {
	if !e.request.fresh {
		if e.request.Script && r.ExitStatus != nil && *r.ExitStatus == 0 {
			r.ExitStatus = nil
		}
		return r
	}
	if r.Outcome != kernel.OutcomeDied || r.Exit == nil || r.Exit.Signal != 0 || r.Exit.Killed || r.Exit.GuardLost {
		return r
	}
	r.Outcome, r.ExitStatus = kernel.OutcomeOK, &r.Exit.Code
	if r.Exit.Code != 0 {
		r.Outcome = kernel.OutcomeError
	}
	return r
}
