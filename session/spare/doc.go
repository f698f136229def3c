// Package spare keeps one started kernel ready, so that a session need not wait for
// Python and ipykernel to be loaded: a new session, a restart, a fresh run and the
// kernel after a death take it if it is what they would have started.
//
// # What a spare is given to
//
// A start of the very same [kernel.Spec]: interpreter, arguments, all variables,
// sidecar, working directory, directory of code, prelude. Whatever is added to a Spec
// counts too; only the session's name and generation, which no kernel reads, do not.
// Nothing is changed in the process when it is handed over: its record is made then,
// and its first run looks for what has become importable, as after an installation.
//
// It is given to nobody, and ended, when a start would now read something else: when
// a file or directory that its start has read or looked for is not what it was
// ([kernel.Spare.Sources]: modules, directories of packages, .pth files, the
// interpreter, IPython's configuration), when the working directory is another one,
// when it does not answer. A start that runs start-up code of the user's is not made
// ahead at all: that code may have effects.
//
// # When there is one
//
// One for each server, and one for each user and Spec: a lock in the state directory
// says so. It is started a few seconds after a server has started its second kernel,
// or the first one has imported a large library, while nothing runs, at a low priority that can be taken back. It ends when no session
// with its Spec is left for ten minutes, when memory is short, with the server, and
// when a start of another Spec wants its place. Without a word of the user's there is
// none on battery, on one core, and on systems where neither can be asked.
//
// # What is imported ahead
//
// Libraries that more than half of the environment's last eight kernels have imported,
// of those that the launcher knows; which they are is kept by interpreter, names alone.
// The launcher hides them (mce_launch/stash.py): sys.modules, and what imports change
// besides (footprint.py), are as if they had not been imported, until code imports
// them. A kernel in which that cannot be done ends, and the spare is one without.
// Nothing can undo that a library has read how many threads it may use: for a start
// whose first code might change such things ([Keeper.Start]) the spare waits on, and a
// new kernel is started.
//
// It knows kernels, clocks and the machine. It must not know sessions, environments or
// what code does.
package spare
