// Package doctor tries everything the server does, with the same parts and the
// same settings, and says what does not work, why, and the command that fixes it.
//
// It knows the parts as package server wires them, and words for a person. It must
// not have a second way to find or to start anything, nor change anything unless it
// is told to (--fix).
package doctor
