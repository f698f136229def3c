package sandbox

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/confine"
)

// Place is where something is to run.
type Place struct {
	Home             string
	WorkDir, Storage string
	State            string // of this program, with the records
	Data             string // of this program, with kernels beside environments
	// Sockets are directories where programs keep their sockets: XDG_RUNTIME_DIR.
	Sockets []string
	// Temporary is TMPDIR, "" for the system's.
	Temporary string
	// Pythons are directories of the environment: it can be read wherever it lies, and
	// not be changed.
	Pythons []string
	// Path are the directories in which programs are found.
	Path []string
	// Landlock is the version of Landlock that this system has, 0 for none.
	Landlock int
	// NoBubblewrap is why bubblewrap is not to be used; nil to look for it.
	NoBubblewrap *confine.Refused
	// MacOS says that macOS's sandbox-exec makes the sandbox.
	MacOS bool
	// Bus is the address of the person's session bus, "" if unknown.
	Bus string
	// Variable is the person's variable of a name; nil is none set. They say where secrets
	// lie that are not in their usual places.
	Variable func(name string) string
	// Secrets are more files and directories that hold any, of kernels for example.
	Secrets []string
	// Known are environments that the settings name, and Pythons of other kernels.
	Known []string
}

// Plan is what the rules mean in a place. What is still to come is the private
// directory, and what the kernel itself needs.
func (r Rules) Plan(p Place) (confine.Plan, error) {
	if err := r.err(); err != nil {
		return confine.Plan{}, err
	}
	var write []string
	if r.Level == Workspace {
		var err error
		if write, err = r.writable(p); err != nil {
			return confine.Plan{}, err
		}
	}
	plan, err := r.base(p)
	if err != nil || r.Level != Workspace {
		return withProject(plan, p), err
	}
	plan.Write = slices.DeleteFunc(write, func(dir string) bool { // bubblewrap makes others in their place
		return plan.Mounts() && (dir == sharedMemory || dir == terminals)
	})
	for _, dir := range plan.Write {
		plan.Protect = append(plan.Protect, protectedIn(dir)...)
	}
	plan.Protect = append(plan.Protect, existing(r.Protect...)...)
	for _, dir := range slices.Concat(plan.Read, condaKnows(p.Home), readable(p.Known)) { // environments
		if below(dir, plan.Write) && !slices.Contains(plan.Write, dir) {
			plan.Protect = append(plan.Protect, dir)
		}
	}
	plan.Protect = unique(plan.Protect)
	if !plan.Excepts() {
		return plan, r.lock(&plan)
	}
	plan.Check.Write = append(plan.Check.Write, directories(plan.Protect)...)
	return plan, nil
}

// withProject lets code read a project that lies where temporary files do. Others are
// there to be read.
func withProject(plan confine.Plan, p Place) confine.Plan {
	for _, dir := range existing(p.WorkDir, p.Storage) {
		if below(dir, plan.Temporary) && !slices.Contains(plan.Temporary, dir) {
			plan.Read = append(plan.Read, dir)
		}
	}
	return plan
}

// writable are the directories where code may write.
func (r Rules) writable(p Place) (dirs []string, err error) {
	all := r.Write
	if !r.Only {
		all = append([]string{p.WorkDir, p.Storage}, r.Write...)
	}
	for _, dir := range all {
		real, err := filepath.EvalSymlinks(dir)
		switch {
		case dir == "":
			continue
		case err != nil:
			return nil, refused("%s cannot be written to: %v", dir, err)
		case real != sharedMemory && real != terminals:
			if err := r.judge(p, real); err != nil {
				return nil, err
			}
		}
		dirs = append(dirs, real)
	}
	return unique(dirs), nil
}

// Look is the plan for what looks at an environment: it changes nothing and reaches
// nobody.
func (r Rules) Look(p Place) (confine.Plan, error) {
	r.Network = NetworkOff
	return r.base(p)
}

// base is the plan of the level read-only.
func (r Rules) base(p Place) (confine.Plan, error) {
	if err := r.err(); err != nil {
		return confine.Plan{}, err
	}
	plan, err := r.means(p)
	if err != nil {
		return plan, err
	}
	plan.Network = r.Network == NetworkOn
	if plan.Network && plan.Mounts() {
		if err := confine.Abstract(); err == nil {
			plan.Check.Abstract = true
		} else if !r.Partial {
			return plan, &confine.Refused{Reason: "with the network on, abstract unix sockets (the X server, some session buses) cannot be cut off: " + err.Error(),
				Next: "set SANDBOX_NETWORK=off, or SANDBOX_ALLOW_PARTIAL=on to go without that"}
		}
	}
	plan.Temporary = existing(temporary, "/var/tmp", p.Temporary)
	plan.Empty = withoutThoseBelow(existing(append([]string{"/run"}, p.Sockets...)...))
	plan.Read = readable(p.Pythons)
	plan.Read = append(plan.Read, existing("/etc/resolv.conf")...) // it often is a link into /run
	if home := real(p.Home); below(home, plan.Temporary) {
		plan.Read = append(plan.Read, home)
	}
	if data := existing(p.Data); below(p.Data, plan.Temporary) && !below(p.Data, existing(p.WorkDir)) {
		plan.Read = append(plan.Read, data...)
	}
	plan.Read = append(plan.Read, existing(r.Read...)...)
	plan.Hide = r.hidden(p, plan.Mounts())
	plan.Check.Read = slices.Clone(plan.Hide)
	plan.Check.Write = existing("/", p.Home, "/etc")
	if plan.CutsSockets() {
		plan.Check.Unix = busSockets(p)
	}
	if plan.CutsSignals() {
		plan.Check.Process = os.Getpid()
	}
	if !plan.Mounts() {
		plan.Moved = moved()
		if !plan.Excepts() {
			plan.Split = besideSecrets(p.Home)
		}
		plan.Check.Write = append(plan.Check.Write, slices.DeleteFunc(existing(temporary, sharedMemory), func(dir string) bool { return slices.Contains(r.Write, dir) })...)
	}
	return plan, nil
}

// Without bubblewrap there are only those of all programs of a person, so that
// SANDBOX_WRITE has to name them.
const (
	sharedMemory = "/dev/shm" // of multiprocessing's locks too
	terminals    = "/dev/pts"
)

func refused(format string, values ...any) error {
	return &confine.Refused{Reason: fmt.Sprintf(format, values...), Next: "set WORK_DIR to the directory of a project, or correct SANDBOX_WRITE (with SANDBOX=client: start the client in a project)"}
}

// judge refuses a directory in which writing would be a way out.
func (r Rules) judge(p Place, dir string) error {
	home := real(p.Home)
	switch {
	case confine.Within(home, dir):
		return refused("%s, where code is to write, is the home directory or above it: what is there is run outside", dir)
	case confine.Within(real(p.State), dir):
		return refused("%s, where code is to write, holds this program's own records", dir)
	}
	for _, prefix := range existing(p.Pythons...) {
		if confine.Within(dir, prefix) && isEnvironment(prefix) {
			return refused("%s, where code is to write, is in the Python environment %s", dir, prefix)
		}
	}
	for _, denied := range existing(r.Deny...) {
		if confine.Within(dir, denied) {
			return refused("%s, where code is to write, is in SANDBOX_DENY or denied by the client", dir)
		}
	}
	for _, system := range []string{"/etc", "/usr", "/bin", "/sbin", "/lib", "/boot", "/var/lib", "/var/spool", "/proc", "/sys", "/run", "/dev", "/System", "/Library", "/private/etc", "/private/var/db"} {
		if confine.Within(dir, system) {
			return refused("%s, where code is to write, is the system's", dir)
		}
	}
	return nil
}

// hidden are the secrets that are there, without what SANDBOX_READ names, and sockets
// where hiding them keeps from connecting.
func (r Rules) hidden(p Place, sockets bool) []string {
	paths := existing(append(p.secrets(), p.State)...)
	read := existing(r.Read...)
	paths = slices.DeleteFunc(paths, func(path string) bool {
		info, err := os.Stat(path) // a history can be a link to /dev/null
		return slices.Contains(read, path) || err == nil && info.Mode()&os.ModeDevice != 0
	})
	paths = append(paths, existing(r.Deny...)...)
	if sockets {
		seen := existing(append([]string{p.Home, p.WorkDir, p.Storage}, slices.Concat(r.Write, r.Read)...)...)
		paths = append(paths, listening(p, seen)...)
	}
	return withoutThoseBelow(unique(paths))
}

// protectedIn are the names in dir that must not be changed. A link is none: what it
// leads to is outside, or protected by its own name.
func protectedIn(dir string) (paths []string) {
	for _, name := range Protected() {
		path := filepath.Join(dir, name)
		if info, err := os.Lstat(path); err == nil && info.Mode()&os.ModeSymlink == 0 {
			paths = append(paths, path)
		}
	}
	entries, _ := os.ReadDir(dir)
	for _, entry := range entries {
		path := filepath.Join(dir, entry.Name())
		if entry.IsDir() && isEnvironment(path) {
			paths = append(paths, path)
		}
	}
	return paths
}

// condaKnows are the environments that conda has made anywhere, by its own list.
func condaKnows(home string) []string {
	list, err := os.ReadFile(filepath.Join(home, ".conda", "environments.txt"))
	if err != nil {
		return nil
	}
	return slices.DeleteFunc(existing(strings.Split(string(list), "\n")...), func(dir string) bool { return !isEnvironment(dir) })
}

func isEnvironment(dir string) bool {
	return exists(filepath.Join(dir, "pyvenv.cfg")) || exists(filepath.Join(dir, "conda-meta"))
}

// readable are the directories of environments that are Pythons: one that code has made
// may name any other directory as its base.
func readable(dirs []string) []string {
	return slices.DeleteFunc(existing(dirs...), func(dir string) bool {
		return dir == "/" || dir == "/usr" || !isEnvironment(dir) && !exists(filepath.Join(dir, "bin", "python3")) && !exists(filepath.Join(dir, "bin", "python"))
	})
}

// busSockets are sockets by which programs outside can be told to act.
func busSockets(p Place) []string {
	paths := []string{"/run/docker.sock", "/run/dbus/system_bus_socket"}
	for _, dir := range p.Sockets {
		paths = append(paths, filepath.Join(dir, "bus"), filepath.Join(dir, "systemd", "private"))
	}
	if path, ok := strings.CutPrefix(p.Bus, "unix:path="); ok {
		path, _, _ = strings.Cut(path, ",")
		paths = append(paths, path)
	}
	return paths
}

// listening are sockets that somebody listens on now, outside of the places that are
// empty in a sandbox, but for what is seen in them: a read-only mount does not keep
// anybody from connecting.
func listening(p Place, seen []string) (paths []string) {
	file, err := os.Open("/proc/net/unix")
	if err != nil {
		return nil
	}
	defer file.Close()
	apart := append([]string{"/run", "/tmp", "/var/tmp", p.Temporary}, p.Sockets...)
	for lines := bufio.NewScanner(file); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		if len(fields) < 8 || !filepath.IsAbs(fields[7]) {
			continue
		}
		path := strings.Join(fields[7:], " ")
		if real, err := filepath.EvalSymlinks(path); err == nil && (!below(real, apart) || below(real, seen)) {
			paths = append(paths, real)
		}
	}
	return paths
}

// existing are the paths that are there, absolute and without links.
func existing(paths ...string) (there []string) {
	for _, path := range paths {
		if path == "" || !filepath.IsAbs(path) {
			continue
		}
		if real, err := filepath.EvalSymlinks(path); err == nil {
			there = append(there, real)
		}
	}
	return unique(there)
}

func real(path string) string {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		return real
	}
	return filepath.Clean(path)
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

func directories(paths []string) []string {
	return slices.DeleteFunc(slices.Clone(paths), func(path string) bool {
		info, err := os.Stat(path)
		return err != nil || !info.IsDir()
	})
}

func below(path string, dirs []string) bool {
	return slices.ContainsFunc(dirs, func(dir string) bool { return dir != "" && confine.Within(path, dir) })
}

// withoutThoseBelow leaves out what lies below another.
func withoutThoseBelow(paths []string) []string {
	return slices.DeleteFunc(slices.Clone(paths), func(path string) bool {
		return slices.ContainsFunc(paths, func(other string) bool { return other != path && confine.Within(path, other) })
	})
}

func unique(paths []string) []string {
	paths = slices.Clone(paths)
	slices.Sort(paths)
	return slices.Compact(paths)
}
