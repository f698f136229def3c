// Package confine runs a program, and everything that it starts, in a sandbox that the
// operating system enforces. A [Plan] says what the sandbox allows; on Linux
// bubblewrap makes it (Plan.Options), and the guard, its process 1, closes what
// bubblewrap leaves open and proves that it holds ([Enter]) before it starts the
// program. Where there is no bubblewrap, the guard starts the program from a thread
// that Landlock confines ([Plan.Confine]), which stops less ([Gaps]). On macOS it starts
// it by sandbox-exec ([Plan.SeatbeltProfile]); that was never run. Where a plan
// cannot be enforced nothing is started.
//
// It knows paths, mounts and system calls. It must not know who is confined or why:
// no session, no environment, no setting.
package confine
