// Package config knows the clients that start this server: where each keeps its
// configuration, and what this program's entry looks like there.
//
// It knows files of clients and the table of settings. It must not write a file: it
// prints, and a person pastes. What clients do with answers is in mcp/clients.
package config
