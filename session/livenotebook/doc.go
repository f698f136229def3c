// Package livenotebook keeps a notebook of each session up to date while it runs, for
// a person who watches in an editor that shows notebooks.
//
// It follows the records of a session's kernels, in the background: no run waits for
// it. Its files are replaced whole, so a reader never sees half of one, and one that
// somebody else has changed is left alone.
package livenotebook
