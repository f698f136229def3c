// Package guard runs a kernel under a small process of its own, the guard,
// which owns the kernel's whole process tree and outlives nothing.
//
// The guard is the server's binary executed again as
//
//	<exe> guard -- <python> <launch.py> args…
//
// from /proc/self/exe, or from the file as it was when the server started: an
// update must not give a running server a guard of another version. [Main] is that
// program. It starts the kernel, makes the pipes of its stdout and
// stderr and hands on what the kernel itself cannot read of them, drains its log
// into a ring of 64 KiB, passes on signals, reaps what the tree leaves behind,
// and reports how the kernel ended. It parses nothing the kernel says, so nothing
// the kernel says can break it. [Start] is the server's side: it runs a guard and
// gives a [Process].
//
// It knows processes, pipes and signals. It must not know Jupyter: no message, no
// kernel's protocol, no environment, and of our packages only kernel/limits.
//
// # Output
//
// The kernel inherits the reading ends of its own stdout and stderr ([Pipes]),
// reads them and shows what comes with its prints, in order. The guard holds the
// same ends and reads when the kernel cannot: what is left after its death, and
// while a pipe has been full for half a second and the kernel does not move. That
// is native code which prints more than a pipe holds while no other Python code
// may run: without a reader it would wait for ever. On Windows the guard alone
// reads, into the ring.
//
// Who dies, and what goes with it:
//
//   - The server, however it goes: the guard reads end of file on its command
//     pipe and kills every descendant until there is none.
//   - The guard: the kernel gets SIGKILL from the operating system
//     (PR_SET_PDEATHSIG); everything else is adopted by the server, which is a
//     subreaper, and killed by [Reaper.Sweep].
//   - bubblewrap's own process, outside of its sandbox: the guard, process 1 of it,
//     gets SIGKILL from the operating system, and with it goes all that is inside.
//   - The kernel: the guard reports how, and kills what the kernel left running.
//
// On Linux this holds for daemons that forked twice and for children in
// sessions of their own. Two limits: if server and guard are killed in the same
// instant the kernel dies and daemons it started survive, and a process of
// another user (sudo) cannot be killed by us. macOS has neither subreapers nor
// parent-death signals: a child that made its own session can survive its
// kernel there. Windows uses a job object that takes everything with it.
//
// # Wire
//
// The server writes single bytes to the guard's stdin: 'i' SIGINT and 't'
// SIGTERM to the kernel's process group, 'k' SIGKILL to the whole tree, 'm' asks
// for "mark", a line that follows all output that the guard has read; end of file means the same as 'k'. The guard writes lines to its stdout: first
// "started PID" or "failed ERRNO", in between what it read of the kernel's output and
// what it ended for a limit, last "exit CODE SIGNAL N" followed by the N
// bytes of the ring. Both ends are always the same binary, so there is no
// version to negotiate. A helper program ([Reaper.Run]) gets the guard's own
// first three files instead of a ring; its guard is told "-helper" before the
// "--", uses files 3 and 4 as its pipes, and ends with the helper's exit code.
package guard
