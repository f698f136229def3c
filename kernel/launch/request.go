package launch

import (
	"encoding/json"
	"strings"
)

// Request is what launch.py is told with one execute_request, in its metadata.
type Request struct {
	// File is the absolute path of the file the code is stored in; the code must
	// be what the file holds. Tracebacks then read "File PATH:LINE" with the
	// lines of the code, not "Cell In[3], line LINE".
	File string `json:"mce_filename,omitempty"`
	// Refresh makes packages and modules visible that appeared since the last
	// import: without it a directory that was not there before stays unimportable.
	Refresh bool `json:"mce_refresh,omitempty"`
	// Reload names files; modules imported from them are loaded again.
	Reload []string `json:"mce_reload,omitempty"`
}

// Reply is what the launcher adds to an execute_reply. Without the launcher, or
// when that step failed, its fields are nil.
type Reply struct {
	// Raised says whether the request's own code raised. An error on iopub may
	// also come from a callback of an extension, or be one the code has handled.
	Raised *bool `json:"mce_raised"`
	// ExitStatus is what a process would have exited with: set when the code
	// ended with SystemExit, and for a script that failed.
	ExitStatus *int `json:"mce_exit_status"`
	// Replaced are streams that are not the kernel's at the end of the request, each
	// as [ReadReplaced] reads it, and Running what a script has left at work, as
	// [ReadRunning] does.
	Replaced []string `json:"mce_replaced"`
	Running  []string `json:"mce_running"`
	// Restored is what the code has taken from Python, and what was put back because nothing
	// works without it: "builtins.open is NoneType".
	Restored []string `json:"mce_restored"`
	// Directory is where the code has gone, or [Gone]; "" when it is where it was.
	Directory string `json:"mce_directory"`
	// Taken is how many characters stdout and stderr have taken since the kernel's
	// start, of a kernel that several clients use.
	Taken []int64 `json:"mce_taken"`
}

// Gone is the directory of code whose directory is not there any more.
const Gone = "gone"

// Replaced is a stream that the code has put something else in the place of, and
// not put back: what is written there does not arrive.
type Replaced struct {
	Stream string // "stdout", "stderr", "fd1", "fd2" or "displays"
	By     string // what is there, in words: "io.StringIO", "the file 'out.log'"
	// Sure says that it passes nothing on; an object of the code's may.
	Sure bool
}

// ReadReplaced reads "stdout io.StringIO", or "stdout? Tee" where that is not sure.
func ReadReplaced(entries []string) (all []Replaced) {
	for _, entry := range entries {
		stream, by, _ := strings.Cut(entry, " ")
		name, unsure := strings.CutSuffix(stream, "?")
		all = append(all, Replaced{Stream: name, By: by, Sure: !unsure})
	}
	return all
}

// Running is what a script that has ended has left: a thread or process at work, or a
// callback for the process's end.
type Running struct {
	Kind string // "thread", "daemon" (a thread that is one), "process" or "atexit"; "child" of subprocess, when the kernel is the script's own
	Name string
}

// ReadRunning reads "thread Thread-4 (work)".
func ReadRunning(entries []string) (all []Running) {
	for _, entry := range entries {
		kind, name, _ := strings.Cut(entry, " ")
		all = append(all, Running{Kind: kind, Name: name})
	}
	return all
}

// Metadata is the request as the metadata of an execute_request, nil when there
// is nothing to tell.
func Metadata(r Request) (json.RawMessage, error) {
	if r.File == "" && !r.Refresh && len(r.Reload) == 0 {
		return nil, nil
	}
	return json.Marshal(r)
}
