package session

import (
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/mcp-code-executor/mcp-code-executor/session/history"
	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv"
	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/provision"
	"github.com/mcp-code-executor/mcp-code-executor/session/variables"
)

// Client is what a Manager that outlives its clients knows of one of them.
type Client struct {
	// Keep is for how long a session is kept that this client was the last to use.
	Keep time.Duration
	// Provisioner finds environments with the client's own variables.
	Provisioner *provision.Provisioner
	// Variables are the client's variables, KEY=VALUE. Only keyed hashes are kept.
	Variables []string
	// IdleLimit is that of [Config]; the newest client's counts.
	IdleLimit time.Duration
	// PlainPython leaves out the prelude of kernels that this client starts.
	PlainPython bool
	// Notebook is that of [Config], for kernels that this client starts.
	Notebook string
}

// Conversation is one client of a Manager that outlives its clients. The session of
// calls that name none belongs to one conversation at a time: nobody's code runs
// among the variables of another conversation unless it names that session. All
// methods are safe for concurrent use. A nil Conversation is the only client of its
// server: it shares everything.
type Conversation struct {
	manager *Manager
	client  Client
	hashes  variables.Hashes
	label   atomic.Value // string: what the client calls itself

	// protected by manager.mu
	holds  string       // the name of its default session, "" before it is needed
	config pyenv.Config // of sessions it opens
	left   bool
	losses int // of its default session to another conversation
}

// kept is what is known of a name while clients come and go. manager.mu protects it.
type kept struct {
	users map[*Conversation]bool
	// touched is when a conversation last named it; left when the last one that
	// had used it was gone, which then waits for keep.
	touched, left time.Time
	keep          time.Duration
}

// Join adds a client. [Conversation.Leave] must follow.
func (m *Manager) Join(client Client) *Conversation {
	c := &Conversation{manager: m, client: client, hashes: variables.Hash(m.secret, client.Variables)}
	m.mu.Lock()
	defer m.mu.Unlock()
	c.config = m.defaultConfig
	m.conversations[c] = true
	m.idleLimit = client.IdleLimit
	return c
}

// Leave ends the conversation. What it was the last to use is kept for a while:
// see [Manager.Expire].
func (c *Conversation) Leave() {
	m := c.manager
	m.mu.Lock()
	defer m.mu.Unlock()
	if c.left {
		return
	}
	c.left = true
	delete(m.conversations, c)
	close(m.gone)
	m.gone = make(chan struct{})
	for _, k := range m.kept {
		if !k.users[c] {
			continue
		}
		if delete(k.users, c); len(k.users) == 0 {
			k.left, k.keep = time.Now(), c.client.Keep
		}
	}
}

// Return is for a client that was taken to have left, and has not: its sessions are its
// own again, but for a default session that another conversation has got meanwhile.
func (c *Conversation) Return() {
	m := c.manager
	m.mu.Lock()
	defer m.mu.Unlock()
	if !c.left {
		return
	}
	c.left = false
	for other := range m.conversations {
		if c.holds != "" && other.holds == c.holds {
			c.holds = ""
			c.losses++
		}
	}
	if c.holds != "" {
		m.defaults[c.holds] = true // it may have ended meanwhile
	}
	m.conversations[c] = true
}

// Losses counts how often another conversation has got its default session.
func (c *Conversation) Losses() int {
	c.manager.mu.Lock()
	defer c.manager.mu.Unlock()
	return c.losses
}

// Label sets what the client calls itself, for others to read.
func (c *Conversation) Label(label string) {
	if c != nil {
		c.label.Store(label)
	}
}

// Called is what the client calls itself, "" before its first call.
func (c *Conversation) Called() string {
	label, _ := c.label.Load().(string)
	return label
}

// Name is the name of the session that a call means which gives this one: for "" it
// is the conversation's own default. The session counts as used by it from now on,
// so that it is not ended in between.
func (c *Conversation) Name(given string) string {
	if c == nil {
		if given == "" {
			return DefaultName
		}
		return given
	}
	m := c.manager
	if given == "" {
		c.awaitDefault()
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if given == "" {
		if c.holds == "" {
			c.holds = m.freeDefaultLocked()
			m.defaults[c.holds] = true
		}
		given = c.holds
	}
	if !c.left && validName(given) {
		k := m.kept[given]
		if k == nil {
			k = &kept{users: map[*Conversation]bool{}}
			m.kept[given] = k
		}
		k.users[c], k.touched = true, time.Now()
	}
	return given
}

// restartTime is how long a new conversation waits for a default session that another
// one holds: a client that starts its server anew need not wait for the old one's end,
// which on a busy machine is seen after the new one's first call.
const restartTime = 500 * time.Millisecond

// awaitDefault waits until there is a default session for the conversation that it
// need not make beside another one's, or for restartTime.
func (c *Conversation) awaitDefault() {
	m := c.manager
	var over <-chan time.Time
	for {
		m.mu.Lock()
		settled, gone := c.holds != "", m.gone
		if !settled {
			name := m.freeDefaultLocked()
			settled = name == DefaultName || m.sessions[name] != nil
		}
		m.mu.Unlock()
		if settled {
			return
		}
		if over == nil {
			over = time.After(restartTime)
		}
		select {
		case <-gone:
		case <-over:
			return
		}
	}
}

// freeDefaultLocked is the default session for a conversation that has none: the
// newest that no other one holds, else a new one. The caller must hold m.mu.
func (m *Manager) freeDefaultLocked() string {
	held := map[string]bool{}
	for c := range m.conversations {
		held[c.holds] = true
	}
	newest := ""
	for name := range m.defaults {
		if m.sessions[name] == nil || held[name] {
			continue
		}
		if newest == "" || m.touchedLocked(name).After(m.touchedLocked(newest)) {
			newest = name
		}
	}
	if newest != "" {
		return newest
	}
	name := DefaultName
	for n := 2; held[name] || m.sessions[name] != nil; n++ {
		name = fmt.Sprintf("%s-%d", DefaultName, n)
	}
	return name
}

func (m *Manager) touchedLocked(name string) time.Time {
	if k := m.kept[name]; k != nil {
		return k.touched
	}
	return time.Time{}
}

// OpenFor is Open as the conversation means the name.
func (m *Manager) OpenFor(c *Conversation, name string) (*Session, error) {
	return m.openIn(c.Name(name), m.DefaultFor(c))
}

// SetDefaultFor makes config the environment of the sessions that the conversation
// opens from now on.
func (m *Manager) SetDefaultFor(c *Conversation, config pyenv.Config) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if c == nil {
		m.defaultConfig = config
	} else {
		c.config = config
	}
}

// DefaultFor returns the environment of sessions that the conversation opens.
func (m *Manager) DefaultFor(c *Conversation) pyenv.Config {
	m.mu.Lock()
	defer m.mu.Unlock()
	if c == nil {
		return m.defaultConfig
	}
	return c.config
}

// plainPython reports whether its kernels start without the prelude.
func (c *Conversation) plainPython() bool { return c != nil && c.client.PlainPython }

// variables are the hashes of the client's variables.
func (c *Conversation) variables() variables.Hashes {
	if c == nil {
		return nil
	}
	return c.hashes
}

// provisioner finds environments for what a conversation asked for.
func (m *Manager) provisioner(c *Conversation) *provision.Provisioner {
	if c == nil || c.client.Provisioner == nil {
		return m.config.Provisioner
	}
	return c.client.Provisioner
}

// Expire ends the sessions that nobody has used, and that have run nothing, for as
// long as they are kept. It returns when the next one may be due, zero for none. It
// does not wait for the kernels' end; [Manager.Close] does.
func (m *Manager) Expire(now time.Time) (next time.Time) {
	for _, s := range m.Sessions() {
		due, counting := s.due()
		switch {
		case !counting:
		case due.After(now):
			if next.IsZero() || due.Before(next) {
				next = due
			}
		default:
			if kept, ok := m.forget(s, now); ok {
				m.noteOver(s, kept)
				m.wg.Go(func() { m.end(s) })
			}
		}
	}
	return next
}

// due tells when the session is to be ended; counting is false while somebody uses
// it, or something runs.
func (s *Session) due() (due time.Time, counting bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.manager.mu.Lock()
	defer s.manager.mu.Unlock()
	return s.dueLocked()
}

// dueLocked is due. The caller must hold s.mu and manager.mu.
func (s *Session) dueLocked() (due time.Time, counting bool) {
	k := s.manager.kept[s.name]
	if k == nil || len(k.users) > 0 || s.current != nil || s.queue.len() > 0 || s.aside > 0 {
		return due, false
	}
	for _, parent := range s.manager.fresh {
		if parent == s {
			return due, false
		}
	}
	if s.generation == 0 && s.latest == nil && s.config == s.manager.defaultConfig {
		return k.left, true // there is nothing to keep
	}
	from := k.left
	if used := s.usedLocked(); used.After(from) {
		from = used
	}
	return from.Add(k.keep), true
}

// forget takes a session that is still due out of the list, under the locks that
// also guard its use and its queue. It tells for how long it was kept.
func (m *Manager) forget(s *Session, now time.Time) (kept time.Duration, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m.mu.Lock()
	defer m.mu.Unlock()
	due, counting := s.dueLocked()
	if !counting || due.After(now) || m.sessions[s.name] != s {
		return 0, false
	}
	kept = m.kept[s.name].keep
	delete(m.sessions, s.name)
	delete(m.kept, s.name)
	delete(m.defaults, s.name)
	s.closed = true
	return kept, true
}

// noteOver remembers for clients to come that the session has ended, with what it had:
// after it was kept for so long, or 0 with its server.
func (m *Manager) noteOver(s *Session, kept time.Duration) {
	if m.overs == nil || s.alone {
		return
	}
	s.mu.Lock()
	had := s.generation > 0
	s.mu.Unlock()
	if had {
		m.overs.Add(history.Over{Session: s.name, At: time.Now(), Keep: kept, Last: m.lastRecorded(s)})
	}
}

// lastRecorded is the id of the session's last run whose record outlives it, "" for none.
func (m *Manager) lastRecorded(s *Session) string {
	if m.RecordDir() == "" {
		return ""
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, id := range slices.Backward(m.order) {
		if e := m.executions[id]; e != nil && e.session == s && e.kind != KindInstall {
			return id
		}
	}
	return ""
}

// Idle reports whether there are neither conversations nor sessions, nor runs that
// have a kernel to themselves.
func (m *Manager) Idle() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.conversations) == 0 && len(m.sessions) == 0 && len(m.fresh) == 0
}

// Kept is a session as its server's list shows it.
type Kept struct {
	Summary
	// Clients are those that use it, by what they call themselves.
	Clients []string
	// Left is when it will be ended, zero while it is used or something runs.
	Left time.Time
}

// Kept lists the sessions with who uses them and until when they are kept, and the runs
// that have a kernel to themselves.
func (m *Manager) Kept() []Kept {
	var all []Kept
	for _, s := range append(m.Sessions(), m.Fresh()...) {
		one := Kept{Summary: s.Summary()}
		if due, counting := s.due(); counting {
			one.Left = due
		}
		m.mu.Lock()
		if k := m.kept[s.name]; k != nil {
			for c := range k.users {
				one.Clients = append(one.Clients, c.Called())
			}
		}
		m.mu.Unlock()
		slices.Sort(one.Clients)
		all = append(all, one)
	}
	return all
}
