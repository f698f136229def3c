// Package rpc speaks MCP's JSON-RPC on any connection ([Serve]): lines and
// messages, requests in flight and their cancellation, turns, progress, the
// delivery of answers, our own requests to the client.
//
// It must not know what is offered over it: no tool by name, no session, no
// words of an answer but those about the protocol itself.
package rpc
