// Package terminal tells whether a person sits at the other end, and shows a
// waiting one what is being done.
//
// It knows a terminal's width and a line that moves. It must not know what is
// waited for, nor be used while stdout carries the protocol.
package terminal
