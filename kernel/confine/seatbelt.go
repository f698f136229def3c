package confine

import (
	"cmp"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// seatbeltProgram is macOS's own; one in PATH may be anybody's.
const seatbeltProgram = "/usr/bin/sandbox-exec"

// FindSeatbelt returns the program that makes macOS's sandbox.
func FindSeatbelt() (string, error) { return findSeatbelt(seatbeltProgram) }

func findSeatbelt(path string) (string, error) {
	if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() || info.Mode().Perm()&0o111 == 0 {
		return "", &Refused{Reason: path + ", by which macOS makes a sandbox, is not there", Next: "use a virtual machine or another user account for the code, and set SANDBOX=off"}
	}
	return path, nil
}

// seatbelt is what a command line begins with that runs in the plan. First it is tried, by
// the command line try with the plan's Check after it.
func (p Plan) seatbelt(try []string) (begin []string, err error) {
	profile, parameters := p.SeatbeltProfile()
	begin = []string{p.Program}
	for _, parameter := range parameters {
		begin = append(begin, "-D", parameter)
	}
	begin = append(begin, "-p", profile)
	check, err := json.Marshal(p.Check)
	if err != nil {
		return nil, err
	}
	argv := slices.Concat(begin, try, []string{string(check)})
	out, err := exec.Command(argv[0], argv[1:]...).CombinedOutput()
	if words := strings.TrimSpace(string(out)); err != nil && words != "" {
		return nil, errors.New(words)
	}
	return begin, err
}

// seatbeltBase is what programs need of macOS, whatever they may do: nothing is allowed
// that is not named. Whatever acts for others (launchd, the keychain, Apple events, the
// clipboard) is not. A process's variables are in kern.procargs, which is not either.
const seatbeltBase = `(version 1)
(deny default)
(allow process-exec)
(allow process-fork)
(allow signal (target same-sandbox))
(allow process-info* (target same-sandbox))
(allow sysctl-read
  (sysctl-name-prefix "hw.")
  (sysctl-name-prefix "machdep.cpu.")
  (sysctl-name-prefix "vm.")
  (sysctl-name "kern.argmax")
  (sysctl-name "kern.hostname")
  (sysctl-name "kern.maxfilesperproc")
  (sysctl-name "kern.maxproc")
  (sysctl-name "kern.osproductversion")
  (sysctl-name "kern.osrelease")
  (sysctl-name "kern.ostype")
  (sysctl-name "kern.osversion")
  (sysctl-name "kern.usrstack64")
  (sysctl-name "kern.version"))
(allow mach-lookup
  (global-name "com.apple.system.logger")
  (global-name "com.apple.system.notification_center")
  (global-name "com.apple.system.opendirectoryd.libinfo"))
(allow ipc-posix-sem)
(allow ipc-posix-shm)
(allow pseudo-tty)
(allow system-socket (socket-domain AF_UNIX))
(allow file-read*)
(allow file-ioctl (regex #"^/dev/ttys[0-9]+$"))
(allow file-read* file-write* file-ioctl (literal "/dev/ptmx"))
(allow file-read* file-write* (require-all (regex #"^/dev/ttys[0-9]+$") (extension "com.apple.sandbox.pty")))
(allow file-write-data (literal "/dev/null") (literal "/dev/zero"))
`

// seatbeltNetwork is the person's network, without the sockets of other programs.
const seatbeltNetwork = `(allow network-bind (local ip "*:*"))
(allow network-inbound (local ip "*:*"))
(allow network-outbound (remote ip "*:*"))
(allow network-outbound (literal "/private/var/run/mDNSResponder"))
(allow mach-lookup
  (global-name "com.apple.SystemConfiguration.DNSConfiguration")
  (global-name "com.apple.SystemConfiguration.configd")
  (global-name "com.apple.trustd.agent"))
`

// profile is one of macOS's sandbox in the making. Paths are parameters, so that none can
// be taken for a part of its text.
type profile struct {
	text       strings.Builder
	parameters []string // NAME=PATH
}

// rule appends one for each path, which comes in the place of %.
func (f *profile) rule(form string, paths ...string) {
	for _, path := range paths {
		i := slices.IndexFunc(f.parameters, func(known string) bool { _, named, _ := strings.Cut(known, "="); return named == path })
		if i < 0 {
			i = len(f.parameters)
			f.parameters = append(f.parameters, "P"+strconv.Itoa(i)+"="+path)
		}
		f.text.WriteString(strings.ReplaceAll(form, "%", `(param "P`+strconv.Itoa(i)+`")`) + "\n")
	}
}

// SeatbeltProfile is the plan as macOS's sandbox keeps it: a profile, and the paths in it
// as NAME=PATH. Of several rules for one thing the last holds, so they stand as mounts of
// bubblewrap do: what lies deeper comes later, and what is protected or hidden last.
func (p Plan) SeatbeltProfile() (text string, parameters []string) {
	p = p.onMacOS()
	f := &profile{}
	f.text.WriteString(seatbeltBase)
	if p.Network {
		f.text.WriteString(seatbeltNetwork)
	}
	for _, dir := range p.Sockets {
		f.rule("(allow network-bind (local unix-socket (subpath %)))", dir)
		f.rule("(allow network-inbound (local unix-socket (subpath %)))", dir)
		f.rule("(allow network-outbound (remote unix-socket (subpath %)))", dir)
	}
	closed, hidden := slices.Concat(p.Temporary, p.Empty), []string(nil)
	for _, path := range p.Hide {
		if p.grantsBelow(path) {
			closed = append(closed, path)
		} else {
			hidden = append(hidden, path)
		}
	}
	f.places(closed, p.Read, append(slices.Clone(p.Write), p.Private))
	f.rule("(deny file-write* (subpath %))", p.Protect...)
	f.rule("(deny file-read* file-write* (subpath %))", hidden...)
	for _, dir := range p.Write {
		// One that is renamed takes what lies in it out of the rules before.
		f.rule("(deny file-write-unlink (literal %))", above(slices.Concat(p.Protect, hidden), dir)...)
	}
	return f.text.String(), f.parameters
}

// places are rules for directories that are closed, read and written. One may pass
// through a closed one to what lies in it, and not list it.
func (f *profile) places(closed, read, write []string) {
	type place struct{ path, form string }
	var all []place
	for _, path := range closed {
		all = append(all, place{path, "(deny file-read* file-write* (subpath %))"})
		for _, dir := range above(slices.Concat(read, write), path) {
			all = append(all, place{dir, "(allow file-read-metadata (literal %))"})
		}
	}
	for _, path := range read {
		all = append(all, place{path, "(allow file-read* (subpath %))"})
	}
	for _, path := range write {
		all = append(all, place{path, "(allow file-read* file-write* (subpath %))"})
	}
	slices.SortStableFunc(all, func(a, b place) int { return cmp.Compare(a.path, b.path) })
	for _, each := range all {
		f.rule(each.form, each.path)
	}
}

// above are the directories of dir, itself included, in which one of the paths lies.
func above(paths []string, dir string) (dirs []string) {
	for _, path := range paths {
		for path != dir && Within(path, dir) {
			path = filepath.Dir(path)
			dirs = append(dirs, path)
		}
	}
	slices.Sort(dirs)
	return slices.Compact(dirs)
}

// onMacOS is the plan with paths as macOS's kernel has them: some of its directories are
// links.
func (p Plan) onMacOS() Plan {
	for _, list := range []*[]string{&p.Write, &p.Protect, &p.Read, &p.Hide, &p.Empty, &p.Temporary, &p.Sockets} {
		paths := make([]string, len(*list))
		for i, path := range *list {
			paths[i] = onMacOS(path)
		}
		*list = paths
	}
	p.Private = onMacOS(p.Private)
	return p
}

func onMacOS(path string) string {
	for _, link := range []string{"/tmp", "/var", "/etc"} {
		if Within(path, link) {
			return "/private" + path
		}
	}
	return path
}
