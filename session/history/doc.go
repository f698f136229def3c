// Package history finds what ran in earlier server processes: it knows the records
// in the state directory, and which of them belong to which server, code storage and
// working directory.
//
// Each server claims the first half of its ids with a file in the directory starts of
// the state directory. For each kernel with a record that the server starts, the file
// has a line that names the record, the session and where both work. A tool that looks
// a run up reads only records that these lines name for its own storage and working
// directory: ids can be guessed, and another project's output is not for this
// conversation. The command line, which a person uses, reads all.
package history
