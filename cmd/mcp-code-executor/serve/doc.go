// Package serve is the server over HTTP: who may come in (tokens, hosts, origins),
// how much at a time, what belongs to whom, and when it ends.
//
// The protocol is [streamable]'s affair; this package decides before a request gets
// there, and gives each token a server with sessions of its own.
package serve
