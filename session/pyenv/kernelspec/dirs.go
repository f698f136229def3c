package kernelspec

import (
	"path/filepath"
	"runtime"
	"slices"
)

// Dirs lists the directories that hold kernelspecs, the first first: those of
// JUPYTER_PATH, of the environment, of the user, of the system. A prefix "" is none.
// It differs from Jupyter in one point: an environment that was chosen always comes
// before the user's directory, as if JUPYTER_PREFER_ENV_PATH were set.
func Dirs(getenv func(string) string, home, prefix string) []string {
	data := filepath.SplitList(getenv("JUPYTER_PATH"))
	if prefix != "" {
		data = append(data, filepath.Join(prefix, "share", "jupyter"))
	}
	data = append(data, userDir(getenv, home))
	if runtime.GOOS == "windows" {
		if all := getenv("ProgramData"); all != "" {
			data = append(data, filepath.Join(all, "jupyter"))
		}
	} else {
		data = append(data, "/usr/local/share/jupyter", "/usr/share/jupyter")
	}
	var dirs []string
	for _, dir := range data {
		if filepath.IsAbs(dir) {
			dirs = append(dirs, filepath.Join(dir, "kernels"))
		}
	}
	return slices.Compact(dirs)
}

// RuntimeDir is where Jupyter keeps connection files.
func RuntimeDir(getenv func(string) string, home string) string {
	if dir := getenv("JUPYTER_RUNTIME_DIR"); dir != "" {
		return dir
	}
	return filepath.Join(userDir(getenv, home), "runtime")
}

// userDir is Jupyter's data directory of the user.
func userDir(getenv func(string) string, home string) string {
	if dir := getenv("JUPYTER_DATA_DIR"); dir != "" {
		return dir
	}
	switch runtime.GOOS {
	case "darwin":
		return filepath.Join(home, "Library", "Jupyter")
	case "windows":
		return filepath.Join(getenv("APPDATA"), "jupyter")
	}
	if dir := getenv("XDG_DATA_HOME"); dir != "" {
		return filepath.Join(dir, "jupyter")
	}
	return filepath.Join(home, ".local", "share", "jupyter")
}
