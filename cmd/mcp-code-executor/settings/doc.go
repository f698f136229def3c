// Package settings has the program's settings as one table: what each is called,
// which values it takes, what it does. The server, the commands, the help texts
// and the test of docs/settings.md read the same table, so a setting is added in one place.
//
// A setting is a variable, because clients pass those, and a flag of every
// command, which wins over the variable. A wrong value never ends the program: a
// client shows a dead server without a reason. It is a [Problem] that the first
// answer and the doctor tell.
//
// It knows names, words and values. It must not look for environments, start a
// program or make a directory: it reads, and others act.
package settings
