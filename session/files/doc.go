// Package files tells which files a run created or changed in the working directory:
// by inotify on Linux, by two listings elsewhere.
//
// It knows directories and times. It knows no session, no kernel and no git: what is
// not to be told is a function that its caller gives.
package files
