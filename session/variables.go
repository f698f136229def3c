package session

import (
	"crypto/hmac"
	"crypto/sha256"
	"slices"
	"strings"
)

// hashes are variables by name, their values as keyed hashes: enough to tell that
// one differs, and of no use to who reads the memory later.
type hashes map[string][8]byte

// hashed hashes variables with this manager's own key.
func (m *Manager) hashed(variables []string) hashes {
	if variables == nil {
		return nil
	}
	all := make(hashes, len(variables))
	for _, variable := range variables {
		name, value, _ := strings.Cut(variable, "=")
		if volatile(name) {
			continue
		}
		sum := hmac.New(sha256.New, m.secret)
		sum.Write([]byte(value))
		all[name] = [8]byte(sum.Sum(nil))
	}
	return all
}

// volatile are variables that are different in each shell, connection or start
// without anybody having changed a thing.
func volatile(name string) bool {
	return slices.Contains([]string{"_", "PWD", "OLDPWD", "SHLVL", "TERM_SESSION_ID", "WINDOWID", "SSH_CLIENT", "SSH_CONNECTION", "SSH_TTY",
		"XDG_SESSION_ID", "INVOCATION_ID", "JOURNAL_STREAM", "KEEP", "LOG_LEVEL", "PRELUDE", "SESSION_IDLE_LIMIT"}, name)
}

// differing names the variables that are not the same in both.
func (h hashes) differing(other hashes) []string {
	var names []string
	for name, hash := range h {
		if there, ok := other[name]; !ok || there != hash {
			names = append(names, name)
		}
	}
	for name := range other {
		if _, ok := h[name]; !ok {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}
