// Package codefile keeps code files in one directory, CODE_STORAGE_DIR, and
// lets nothing out of it: every file is opened by handle through [os.Root], so
// that neither "../", an absolute name, nor a symbolic link swapped between a
// check and a use reaches a file outside.
//
// # What it promises
//
//   - [Store.Create] never replaces a file. What appears under a name is whole.
//   - [Store.Append] is one write(2) per call; writers, in this process or
//     another, wait for each other. A failed append leaves the file as it was; a
//     part that a kill left is taken back by the next append or Open.
//   - Only regular files are opened, and without blocking: a FIFO with the name
//     of a program is refused at once instead of hanging a tool for ever.
//   - A file with a second hard link is not written to: the other name may lie
//     outside the directory, where os.Root cannot see it.
//
// # What it does not
//
// It is no sandbox. The code run from here has the user's rights and can write
// anywhere; the promises are about what a path given to a file tool can do.
// Appends are whole on local file systems; NFS has no O_APPEND.
package codefile
