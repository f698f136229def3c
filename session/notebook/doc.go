// Package notebook turns records of what ran into notebooks, scripts and Markdown,
// and reads notebooks that are to be run.
//
// A [Story] is the runs of one session, of one or more kernel processes, as their
// records tell it. A [Notebook] is a file in Jupyter's format: versions 3 and 4 are
// read, 4.5 is written, and what this package does not know is kept as it is.
//
// It reads records and files that it is given, and writes where it is told to. It
// starts nothing and knows no session that is open, no kernel and no storage.
package notebook
