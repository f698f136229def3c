// Package flock takes advisory locks on files that are open already: a lock goes
// when it is given back, when its file is closed or when the process ends, however
// it ends, and two files opened in one process exclude each other too. It knows no
// paths and waits for nothing.
//
// It must not import anything of ours: packages of every layer lock with it.
package flock
