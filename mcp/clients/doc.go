// Package clients is what is known of MCP clients: how much of an answer each shows,
// and what its cancels mean, with the evidence.
//
// It knows names, numbers and clocks. It knows no tool and no session: how an answer is
// made within a budget is [render]'s matter, what a cancel ends the tools'.
package clients
