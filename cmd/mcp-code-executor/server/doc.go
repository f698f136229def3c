// Package server wires the parts of a server from the settings. The doctor uses
// the same parts, so what it finds holds for the server.
//
// It knows every part and each setting. It must not decide what a part decides; the
// one decision of its own is where code runs ([ChooseWorkDir]), a pure function. It
// touches neither stdin nor stdout.
package server
