// Package streamable is MCP's streamable HTTP on one endpoint, of both eras: with
// the handshake and Mcp-Session-Id (2025-03-26 to 2025-11-25), and without
// (2026-07-28). It carries messages between HTTP and [rpc.Serve].
//
// It knows no tool, no session of ours and no token: who may come in, and by which
// name the server is called, is decided before a request comes here.
package streamable
