package main

import (
	"path/filepath"
	"strings"
)

// settings are the variables that are this program's own.
func settings() []string {
	return []string{"CODE_STORAGE_DIR", "ENV_TYPE", "CONDA_ENV_NAME", "VENV_PATH", "UV_VENV_PATH", "KERNEL_INSTALL", "UV_INSTALL", "ENV_DENY", "HISTORY", "PRELUDE", "SESSION_IDLE_LIMIT", "LOG_LEVEL"}
}

// isPathSetting reports whether a setting's value is a path; conda's is a name
// or a path.
func isPathSetting(name, value string) bool {
	switch name {
	case "CODE_STORAGE_DIR", "VENV_PATH", "UV_VENV_PATH":
		return true
	}
	return name == "CONDA_ENV_NAME" && strings.ContainsAny(value, `/\`)
}

// passedOn are variables of other programs that a person's shell often has and a
// client does not pass on: without them packages come from elsewhere or not at
// all, and conda is not found.
func passedOn() []string {
	return []string{"HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY", "PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_CONSTRAINT",
		"UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_INDEX", "XDG_DATA_HOME", "XDG_STATE_HOME"}
}

// absoluteSetting is a setting as it must stand in a client's configuration,
// where neither the working directory nor a shell is known.
func absoluteSetting(name, value, home string) string {
	value = strings.TrimSpace(value)
	if value == "" || !isPathSetting(name, value) {
		return value
	}
	if abs, err := filepath.Abs(expandHome(value, home)); err == nil {
		return abs
	}
	return value
}
