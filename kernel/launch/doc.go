// Package launch holds launch.py and its package mce_launch, the only things of
// ours that run inside a kernel, and says how a kernel is started with them.
//
// launch.py starts ipykernel 6.17 to 7.x and changes what a server needs
// changed: no output is lost or arrives in one huge message, an interrupt
// always leads to an answer, files lying in the working directory cannot break
// the start. The user's own IPython configuration and start-up files still
// apply; the history database of the user is left alone.
//
// What it says on the kernel's stderr, one line each, begins with "mce-launch: ".
//
// It knows the Python inside the kernel and its command line. It must not start a
// process, read a socket, or know sessions and environments: package kernel does
// the first two, package session the rest. What server and launcher say to each
// other is in [Request], [Reply] and [Options] alone.
package launch
