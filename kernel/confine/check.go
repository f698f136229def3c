package confine

import (
	"net"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// Check is what is tried inside a sandbox, in the place of the program that is to run
// there, before it starts. All of it must fail.
type Check struct {
	Write []string `json:"write,omitempty"` // directories in which a file is made
	Read  []string `json:"read,omitempty"`  // files and directories that are read
	Unix  []string `json:"unix,omitempty"`  // sockets that are connected to
	TCP   string   `json:"tcp,omitempty"`   // an address that is connected to
	// Process is the number of a process outside, which is sent signal 0; 0 is none.
	Process int `json:"process,omitempty"`
	// Abstract: unix sockets without a path are to be cut off by Landlock, as the
	// network is shared.
	Abstract bool `json:"abstract,omitempty"`
}

// Open is what a sandbox does not stop although it should: why nothing was started.
type Open struct{ What string }

func (e *Open) Error() string { return "the sandbox " + notStopped + " " + e.What }

// Try tries it all and returns an *[Open] for the first thing that is not stopped.
func (c Check) Try() error {
	for _, dir := range c.Write {
		if err := tryWrite(dir); err != nil {
			return err
		}
	}
	for _, path := range c.Read {
		if err := tryRead(path); err != nil {
			return err
		}
	}
	for _, path := range c.Unix {
		if connects("unix", path) {
			return &Open{"connecting to " + path}
		}
	}
	if c.TCP != "" && connects("tcp", c.TCP) {
		return &Open{"connecting to " + c.TCP}
	}
	if c.Process > 0 && reaches(c.Process) {
		return &Open{"signals to process " + strconv.Itoa(c.Process)}
	}
	return nil
}

func tryWrite(dir string) error {
	path := filepath.Join(dir, ".mce-check-"+strconv.Itoa(os.Getpid())+strconv.FormatInt(time.Now().UnixNano(), 36))
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil
	}
	f.Close()
	os.Remove(path)
	return &Open{"writing in " + dir}
}

func tryRead(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer f.Close()
	if names, err := f.Readdirnames(1); err == nil && len(names) > 0 {
		return &Open{"listing " + path}
	}
	if _, err := f.Read(make([]byte, 1)); err == nil {
		return &Open{"reading " + path}
	}
	return nil
}

// connectTime bounds a try to connect: one that is not answered is stopped.
const connectTime = 200 * time.Millisecond

func connects(network, address string) bool {
	c, err := net.DialTimeout(network, address, connectTime)
	if err != nil {
		return false
	}
	c.Close()
	return true
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}
