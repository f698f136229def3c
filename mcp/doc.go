// Package mcp is the server's face to MCP clients: it offers the tools, and
// chooses the words of every answer and error.
//
// It knows sessions and nothing below them: no socket, no process. How messages
// travel is [rpc]'s matter, how outputs become text and images [render]'s, how
// arguments are decoded [arguments]', what each client shows [clients]'.
//
// In this package and in rpc, mcp.X is the SDK's, never under another name; no
// other package imports the SDK, and there mcp.X is this package's.
package mcp
