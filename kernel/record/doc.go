// Package record keeps what ran in one kernel process and what came out of it.
//
// A record is a directory of its own, readable by its owner only:
//
//	20261103T091500Z-default-5be0f1c2/
//	    lock            held (flock) while the record is in use
//	    record.jsonl    one entry a line: crc32 of the JSON (8 hex digits), a space, JSON
//	    files/          values that are large or are media, e.g. ab12-3.4.png; large
//	                    pieces of a stream together, e.g. ab12-3.5.txt
//
// Entries are only ever appended, so a byte offset in record.jsonl, a
// [Position], is a cursor that stays true for ever. Answers, polls, searches,
// exports and the recovery after a crash all read the record; nothing else
// holds output, so the server's memory does not grow with what is printed.
//
// Every entry is one write(2): what was acknowledged survives the death of the
// server. A line torn by that death is dropped by readers; a line damaged
// otherwise is reported as a [BadLineError] and skipped. [Record.Sync] makes
// entries outlive a power cut too.
//
// When the disk fails the record goes on in a bounded piece of memory, and
// [Record.Err] says so: a full disk must not stop a kernel. When it has space again
// the file is brought to where the memory ends, with lines of zeros for what was not
// kept, so that positions stay byte offsets.
//
// Of a run's output beyond [Options.RunLimit] only the end is kept, in tail-N/ until
// the run ends.
package record
