// Package mcp is the server's face to MCP clients: it speaks the protocol on
// any connection ([Server.Serve]), offers the tools, decodes their arguments,
// and chooses the words of every answer and error.
//
// It knows sessions and nothing below them: no socket, no process.
package mcp
