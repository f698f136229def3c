package session

import (
	"context"
	"crypto/rand"
	"log/slog"
	"maps"
	"slices"
	"sort"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/mcp-code-executor/mcp-code-executor/kernel"
	"github.com/mcp-code-executor/mcp-code-executor/kernel/limits"
	"github.com/mcp-code-executor/mcp-code-executor/session/codefile"
	"github.com/mcp-code-executor/mcp-code-executor/session/elsewhere"
	"github.com/mcp-code-executor/mcp-code-executor/session/history"
	"github.com/mcp-code-executor/mcp-code-executor/session/livenotebook"
	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv"
	"github.com/mcp-code-executor/mcp-code-executor/session/pyenv/provision"
	"github.com/mcp-code-executor/mcp-code-executor/session/sandbox"
	"github.com/mcp-code-executor/mcp-code-executor/session/spare"
)

// DefaultName is the session of calls that name none.
const DefaultName = "default"

// Limits that keep one client's habits from filling the machine.
const (
	maxSessions = 16
	maxQueue    = 64
	// keptExecutions is how many finished executions can still be asked for.
	keptExecutions = 2000
)

// Config is what a Manager needs.
type Config struct {
	Host *kernel.Host
	// Spares starts kernels; the owner closes it after the Manager. Nil starts each
	// when it is wanted.
	Spares      *spare.Keeper
	Provisioner *provision.Provisioner
	Environment pyenv.Config // of sessions that chose none
	// Servers are the Jupyter servers that the settings name; nil for none.
	Servers *elsewhere.Servers
	// Storage opens the code storage, or tells why it cannot be used. It is called
	// when needed.
	Storage func() (*codefile.Store, error)
	// StorageSet says that a person has set the code storage: then kernels start only
	// where it can be used.
	StorageSet bool
	// WorkDir tells the kernels' working directory; nil is the code storage. It is
	// called for each kernel.
	WorkDir  func() WorkDir
	StateDir string
	// Sandbox is what kernels run in; nil is none.
	Sandbox *sandbox.Box
	// Place is where the client works, in any form: a server is told of one that was
	// killed in the same place. "" tells of none.
	Place string
	// Notebook is the directory in which a notebook of each session is kept up to date,
	// relative to the working directory; "" keeps none.
	Notebook string
	// Owner is whose sessions these are, where others have theirs in the same
	// directories: they see nothing of each other's records and ids. "" is the user.
	Owner string
	// IdleLimit ends the kernel of a session that has been idle so long; 0 never.
	IdleLimit time.Duration
	// Unusable is the setting with which no kernel is started, nil for none.
	Unusable *SettingError
	// Share is Jupyter's runtime directory, in which the kernels' connection files are put
	// for other clients; "" for none.
	Share string
	// Overs is the file of what is told to clients that come after the end of what was
	// kept for them. "" where there is only one client.
	Overs string
	Log   *slog.Logger
}

// Manager owns the sessions of one server process.
type Manager struct {
	config Config
	starts *history.Starts
	marks  *history.Marks
	overs  *history.Overs  // nil for none
	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	wg     sync.WaitGroup // preparations, and sessions being ended
	secret []byte         // of the hashes of variables
	books  *livenotebook.Books

	sweepShared sync.Once
	lookLeft    sync.Once
	left        []elsewhere.Left // since lookLeft

	mu            sync.Mutex // protects the fields below
	sessions      map[string]*Session
	fresh         map[*Session]*Session // sessions of one run each, by the one they were asked for in
	executions    map[string]*Execution
	order         []string         // ids in executions, oldest first
	kernels       []history.Kernel // with a record, oldest first; Record is its path
	defaultConfig pyenv.Config
	preparations  map[wanted]*preparation
	idleLimit     time.Duration
	closed        bool
	conversations map[*Conversation]bool
	gone          chan struct{}    // closed and replaced when a conversation leaves
	kept          map[string]*kept // by the name of the session
	defaults      map[string]bool  // names of default sessions
}

// NewManager returns a manager without sessions; nothing is started.
func NewManager(c Config) *Manager {
	starts, err := history.Claim(c.StateDir)
	if err != nil {
		c.Log.Warn("state directory", "err", err)
	}
	if c.Servers == nil {
		c.Servers = elsewhere.New(nil)
	}
	var overs *history.Overs
	if c.Overs != "" {
		overs = history.ReadOvers(c.Overs)
	}
	if c.Spares == nil {
		c.Spares = spare.New(spare.Options{Host: c.Host, Mode: spare.Off})
	}
	ctx, cancel := context.WithCancel(context.Background())
	content := func(path string) (text string, changed time.Time, ok bool) {
		if storage, err := c.Storage(); err == nil {
			return storage.Content(path)
		}
		return "", changed, false
	}
	return &Manager{
		books:         livenotebook.New(starts.Prefix(), content, c.Log),
		config:        c,
		starts:        starts,
		marks:         history.NewMarks(c.StateDir, starts.Prefix(), c.Place),
		overs:         overs,
		ctx:           ctx,
		cancel:        cancel,
		sessions:      map[string]*Session{},
		fresh:         map[*Session]*Session{},
		executions:    map[string]*Execution{},
		defaultConfig: c.Environment,
		preparations:  map[wanted]*preparation{},
		idleLimit:     c.IdleLimit,
		conversations: map[*Conversation]bool{},
		gone:          make(chan struct{}),
		kept:          map[string]*kept{},
		defaults:      map[string]bool{DefaultName: true},
		secret:        []byte(rand.Text()),
	}
}

// maxName bounds a session's name, in characters.
const maxName = 64

// validName judges a session's name. It is not a regular expression: one with these
// classes and this repetition takes 2 MB, in every guard too.
func validName(name string) bool {
	n := 0
	for _, r := range name {
		plain := r == '_' || unicode.IsLetter(r) || unicode.IsNumber(r)
		if !plain && (n == 0 || !strings.ContainsRune(". -", r)) {
			return false
		}
		n++
	}
	return 0 < n && n <= maxName
}

func errName(name string) error {
	return &NameError{Name: name, Reason: "use 1 to 64 letters, digits, spaces, '_', '-' or '.', the first a letter, digit or '_'"}
}

// Open returns the session of that name, made when it is new. "" is the default.
func (m *Manager) Open(name string) (*Session, error) { return m.OpenFor(nil, name) }

// openIn is Open; a session that is new is put into the environment of config.
func (m *Manager) openIn(name string, config pyenv.Config) (*Session, error) {
	if !validName(name) {
		return nil, errName(name)
	}
	s, err := m.open(name, config)
	if full, ok := err.(*TooManySessionsError); ok {
		// Asked without the lock: sessions take it inside their own.
		for _, s := range m.Sessions() {
			if s.idle() {
				full.Idle = append(full.Idle, s.name)
			}
		}
	}
	return s, err
}

func (m *Manager) open(name string, config pyenv.Config) (*Session, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return nil, ErrClosed
	}
	if s := m.sessions[name]; s != nil {
		return s, nil
	}
	if len(m.sessions) >= maxSessions {
		return nil, &TooManySessionsError{Limit: maxSessions}
	}
	s := newSession(m, name, config)
	m.sessions[name] = s
	return s, nil
}

// Find returns an open session. "" is the default.
func (m *Manager) Find(name string) (*Session, error) {
	if name == "" {
		name = DefaultName
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if s := m.sessions[name]; s != nil {
		return s, nil
	}
	if !validName(name) {
		return nil, errName(name)
	}
	err := &UnknownSessionError{Name: name}
	for known := range m.sessions {
		err.Known = append(err.Known, known)
	}
	sort.Strings(err.Known)
	return nil, err
}

// Storage opens the code storage.
func (m *Manager) Storage() (*codefile.Store, error) { return m.config.Storage() }

// Killed reports whether servers in the client's place were killed with sessions open,
// in the last hour, how long ago the last one was, and the first halves of their ids.
func (m *Manager) Killed() (ago time.Duration, prefixes []string) { return m.marks.Killed() }

// StateDir is where records and claimed ids are kept.
func (m *Manager) StateDir() string { return m.config.StateDir }

// Sandboxed reports whether there is a sandbox.
func (m *Manager) Sandboxed() bool { return m.config.Sandbox != nil }

// Sandbox says what code may do, "" where there is no sandbox.
func (m *Manager) Sandbox() string {
	if !m.Sandboxed() {
		return ""
	}
	return m.config.Sandbox.Describe()
}

// FollowsClient reports whether kernels are confined by what the client allows in each
// call.
func (m *Manager) FollowsClient() bool { return m.config.Sandbox.Follows() }

// Allows is an error when nothing may be run for a call with this policy of the client.
func (m *Manager) Allows(policy string) error {
	_, err := m.config.Sandbox.Policy(policy)
	return err
}

// TryPolicy is a client's policy to try the sandbox with where no client has sent one:
// code may write in the working directory. "" where none is needed.
func (m *Manager) TryPolicy() string {
	place, err := m.place()
	if err != nil || !m.FollowsClient() {
		return ""
	}
	return sandbox.ExamplePolicy(place.work.Path)
}

// Sandbox says what code may do in the session's kernel, or in the next one; "" where
// there is no sandbox.
func (s *Session) Sandbox() string {
	s.mu.Lock()
	confined, runs, config := s.confined, s.kernel != nil, s.config
	s.mu.Unlock()
	if !runs {
		confined = sandbox.Confined{}
		if config.Elsewhere() {
			confined, _ = s.manager.outside(config) // one that is refused does not run
		}
	}
	if !confined.Outside() && !(runs && s.manager.FollowsClient()) {
		return s.manager.Sandbox()
	}
	return strings.TrimPrefix(confined.Words(s.manager.config.Sandbox), "sandbox ")
}

// Outside reports whether a sandbox is set and the session's kernel is not in it, for the
// settings name one that runs elsewhere.
func (s *Session) Outside() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.kernel != nil && s.confined.Outside()
}

// RecordDir is where records are kept, "" when they are not.
func (m *Manager) RecordDir() string { return m.config.Host.RecordDir }

// Held tells how the limits of sessions are held.
func (m *Manager) Held() limits.Held { return m.config.Host.Held() }

// ManagedReady reports whether the default environment has been made.
func (m *Manager) ManagedReady() bool { return m.config.Provisioner.ManagedReady() }

// KernelWords tells which ipykernel a kernel in env is started with, or what the
// first call does about there being none.
func (m *Manager) KernelWords(env *pyenv.Environment) string {
	return m.config.Provisioner.KernelWords(env)
}

// Sessions returns the open sessions by name.
func (m *Manager) Sessions() []*Session {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := make([]*Session, 0, len(m.sessions))
	for _, s := range m.sessions {
		all = append(all, s)
	}
	slices.SortFunc(all, func(a, b *Session) int {
		if a.name < b.name {
			return -1
		}
		return 1
	})
	return all
}

// Fresh returns the runs that have a kernel to themselves, the oldest first.
func (m *Manager) Fresh() []*Session {
	m.mu.Lock()
	all := slices.Collect(maps.Keys(m.fresh))
	m.mu.Unlock()
	all = slices.DeleteFunc(all, func(s *Session) bool { return s.Current() == nil })
	slices.SortFunc(all, func(a, b *Session) int { return a.since().Compare(b.since()) })
	return all
}

// since is when what runs now was asked for.
func (s *Session) since() time.Time {
	if e := s.Current(); e != nil {
		return e.asked
	}
	return time.Time{}
}

// Execution returns the execution with that id.
func (m *Manager) Execution(id string) (*Execution, error) {
	m.mu.Lock()
	e, latest := m.executions[id], ""
	if n := len(m.order); n > 0 {
		latest = m.order[n-1]
	}
	m.mu.Unlock()
	if e != nil {
		return e, nil
	}
	return nil, &UnknownExecutionError{ID: id, Latest: latest, Elsewhere: m.elsewhere(id)}
}

// adopt gives an execution its id and remembers it.
func (m *Manager) adopt(e *Execution) {
	defer m.marks.Accepted()
	m.mu.Lock()
	defer m.mu.Unlock()
	e.id = m.starts.Next()
	m.executions[e.id] = e
	m.order = append(m.order, e.id)
	if len(m.order) <= keptExecutions {
		return
	}
	if oldest := m.executions[m.order[0]]; oldest.Finished() {
		delete(m.executions, m.order[0])
		m.order = m.order[1:]
	}
}

// Close ends every session. Kernels are asked to exit until ctx ends, so that
// their atexit handlers run, and are killed then; with ctx done already they
// are killed at once. Nothing of ours is left when it returns.
func (m *Manager) Close(ctx context.Context) {
	m.marks.Close() // first: some clients kill within half a second
	m.mu.Lock()
	m.closed = true
	sessions := slices.Collect(maps.Values(m.sessions))
	sessions = slices.AppendSeq(sessions, maps.Keys(m.fresh))
	m.sessions = map[string]*Session{}
	m.mu.Unlock()
	for _, s := range sessions {
		m.noteOver(s, 0)
	}
	var wg sync.WaitGroup
	m.cancel()
	for _, s := range sessions {
		wg.Go(func() { s.close(ctx) })
	}
	wg.Wait()
	m.wg.Wait()
	m.books.Close() // when the records have ended
}

// since formats how long ago t was.
func since(t time.Time) time.Duration { return time.Since(t).Round(time.Millisecond) }
