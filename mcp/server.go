package mcp

import (
	"context"
	_ "embed"
	"encoding/json"
	"io"
	"log/slog"
	"slices"
	"strings"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"

	"github.com/mcp-code-executor/mcp-code-executor/mcp/arguments"
	"github.com/mcp-code-executor/mcp-code-executor/mcp/clients"
	"github.com/mcp-code-executor/mcp-code-executor/mcp/render"
	"github.com/mcp-code-executor/mcp-code-executor/mcp/rpc"
	"github.com/mcp-code-executor/mcp-code-executor/session"
)

//go:embed instructions.md
var instructions string

// Config is what a Server needs.
type Config struct {
	Sessions *session.Manager
	Version  string
	Log      *slog.Logger
	// Notices are sentences that the first answer tells, such as which setting is
	// wrong.
	Notices []string
	// Kept says that the server outlives its clients, each of which comes by
	// [Server.ServeFor].
	Kept bool
	// Shared says that clients may come that cannot be told apart, and so share a
	// default session.
	Shared bool
}

// Server offers the tools on any number of connections. Sessions belong to the
// process, not to a connection. It is safe for concurrent use.
type Server struct {
	mcp *server.MCPServer
	log *slog.Logger
	// queueing are the tools that put code into a session's queue.
	queueing []string
}

// New returns a server with all its tools; the list never changes.
func New(c Config) *Server {
	options := []server.ServerOption{
		server.WithToolCapabilities(false),
		server.WithInstructions(c.instructions()),
		server.WithLogger(c.Log),
	}
	if c.Sessions != nil && c.Sessions.FollowsClient() { // asks the client for its policy
		options = append(options, server.WithExperimental(map[string]any{session.PolicyKey: map[string]any{}}))
	}
	s := &Server{log: c.Log, mcp: server.NewMCPServer("mcp-code-executor", c.Version, options...)}
	t := &tools{server: s.mcp, sessions: c.Sessions, version: c.Version, log: c.Log, images: render.NewGate()}
	first := []*notices{noticesOf(c.Notices, nil)}
	if c.Sessions != nil {
		first = append(first, newKilledNotices(c.Sessions), noticesFound(func() []string { return leftWords(c.Sessions.LeftElsewhere()) }, nil))
	}
	for _, tool := range t.table() {
		s.mcp.AddTool(tool.definition(), tool.handler(first))
		if tool.queues {
			s.queueing = append(s.queueing, tool.name)
		}
	}
	return s
}

// What the instructions of a server that outlives its clients end with.
const (
	keptInstructions = `
- This server goes on when its client ends, and keeps sessions for a while. Calls without a session use a default session that nobody else gets while you are connected; the first answer names it if it is not "default". A session that is named is shared with whoever names it.`
	sharedInstructions = `
- This server goes on when its client ends, and keeps sessions for a while. Calls without a session use a default session; the first answer says which it is, if that is not "default", and whether others share it. A session that is named is shared with whoever names it.`
)

func (c *Config) instructions() string {
	own := strings.TrimRight(instructions, "\n")
	if c.Sessions != nil && c.Sessions.Sandboxed() {
		own = strings.TrimSuffix(own, "There is no sandbox.") + "A sandbox limits what it can write, read and reach; the first answer says how."
	}
	switch {
	case c.Shared:
		return own + sharedInstructions
	case c.Kept:
		return own + keptInstructions
	}
	return own + "\n"
}

// Serve speaks MCP on one connection until it ends: see [rpc.Serve].
func (s *Server) Serve(ctx context.Context, r io.Reader, w io.Writer) error {
	return s.serve(ctx, nil, r, w)
}

func (s *Server) serve(ctx context.Context, c *session.Conversation, r io.Reader, w io.Writer) error {
	return rpc.Serve(ctx, s.mcp, r, w, rpc.Options{
		Logger: s.log,
		Turn:   func(tool string, arguments json.RawMessage) string { return s.turn(c, tool, arguments) },
		AfterPanic: "Only this call is affected: the session, its variables and other calls are untouched. " +
			"Look at the state before you repeat the call, because it may have had effects.",
	})
}

// turn names the session into whose queue a call puts code, so that calls sent
// one after the other run in that order.
func (s *Server) turn(c *session.Conversation, tool string, arguments json.RawMessage) string {
	if !slices.Contains(s.queueing, tool) {
		return ""
	}
	var given struct {
		Session json.RawMessage `json:"session"`
	}
	var name string
	if json.Unmarshal(arguments, &given) != nil || json.Unmarshal(given.Session, &name) != nil || name == "" {
		return c.Name("")
	}
	return name
}

// tools are the handlers of the tools and what they share.
type tools struct {
	server   *server.MCPServer
	sessions *session.Manager
	version  string
	log      *slog.Logger
	images   *render.Gate
}

// table lists the tools in the order clients show them.
func (t *tools) table() []tool {
	return []tool{
		t.executeCode(),
		t.getExecution(),
		t.interruptExecution(),
		t.sendInput(),
		t.listSessions(),
		t.stopSession(),
		t.inspectVariables(),
		t.installDependencies(),
		t.checkInstalledPackages(),
		t.configureEnvironment(),
		t.getEnvironmentConfig(),
		t.initializeCodeFile(),
		t.appendToCodeFile(),
		t.executeCodeFile(),
		t.readCodeFile(),
		t.exportSession(),
	}
}

// tool is one tool: what clients are told of it, and what it does.
type tool struct {
	name, title, description string
	arguments                []argument
	hints                    hints
	// always puts the tool into a model's first request where the host would
	// otherwise make it search for tools.
	always bool
	// large lets a host show an answer of clients.MaxCharacters whole, where it would
	// move it to a file otherwise.
	large bool
	// queues makes calls for one session begin in the order in which they were
	// sent: see [rpc.Queued], which the handler must call.
	queues bool
	handle func(ctx context.Context, a *call) *mcp.CallToolResult
}

// hints are the four annotations, all of them: the library's defaults say
// destructive and open-world for whatever is left out.
type hints struct {
	readOnly, destructive, idempotent, openWorld bool
}

// argument describes one argument. Defaults and limits stand in the words, for
// a host removes them from schemas.
type argument struct {
	name, kind, description string
	required                bool
	enum                    []string
}

// definition is the tool as tools/list shows it. Schemas describe only: our own
// decoder judges, which takes "5" for a number and words its errors for models.
func (t tool) definition() mcp.Tool {
	properties := map[string]any{}
	required := []string{}
	for _, a := range t.arguments {
		p := map[string]any{"type": a.kind, "description": a.description}
		if a.kind == "array" {
			p["items"] = map[string]any{"type": "string"}
		}
		if a.enum != nil {
			p["enum"] = a.enum
		}
		properties[a.name] = p
		if a.required {
			required = append(required, a.name)
		}
	}
	schema := map[string]any{"type": "object", "properties": properties}
	if len(required) > 0 {
		schema["required"] = required
	}
	raw, err := json.Marshal(schema)
	if err != nil {
		panic("encoding our own schema: " + err.Error())
	}
	d := mcp.NewToolWithRawSchema(t.name, t.description, raw)
	d.Annotations = mcp.ToolAnnotation{
		Title:           t.title,
		ReadOnlyHint:    &t.hints.readOnly,
		DestructiveHint: &t.hints.destructive,
		IdempotentHint:  &t.hints.idempotent,
		OpenWorldHint:   &t.hints.openWorld,
	}
	d.Title = t.title
	meta := map[string]any{}
	if t.always {
		meta["anthropic/alwaysLoad"] = true
	}
	if t.large {
		meta["anthropic/maxResultSizeChars"] = clients.MaxCharacters
	}
	if len(meta) > 0 {
		d.Meta = mcp.NewMetaFromMap(meta)
	}
	return d
}

func (t tool) handler(first []*notices) server.ToolHandlerFunc {
	return func(ctx context.Context, request mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		own := welcome(ctx)
		given := arguments.New(request.Params.Arguments)
		given.First = func(name string) bool { return rpc.FirstTold(ctx, t.name+" "+name) }
		result := t.handle(ctx, &call{given, request})
		addNotices(ctx, result, append([]*notices{own}, first...)...)
		fit(ctx, result)
		return result, nil
	}
}

// call is one call of a tool: its arguments, and the request they came in.
type call struct {
	*arguments.Decoder
	request mcp.CallToolRequest
}

// policy is what the client allows in this call, JSON, "" for none.
func (a *call) policy() string {
	meta := a.request.Params.Meta
	if meta == nil || meta.AdditionalFields[session.PolicyKey] == nil {
		return ""
	}
	text, err := json.Marshal(meta.AdditionalFields[session.PolicyKey])
	if err != nil {
		return "" // it came as JSON
	}
	return string(text)
}

// fit cuts an answer of one text to what the client shows.
func fit(ctx context.Context, result *mcp.CallToolResult) {
	if result == nil || len(result.Content) != 1 {
		return
	}
	if text, ok := result.Content[0].(mcp.TextContent); ok {
		text.Text = clients.Of(ctx).Fit(text.Text)
		result.Content[0] = text
	}
}
