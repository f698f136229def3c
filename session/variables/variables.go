// Package variables compares the environment variables of processes without keeping
// their values.
package variables

import (
	"crypto/hmac"
	"crypto/sha256"
	"slices"
	"strings"
)

// Hashes are variables by name, their values as keyed hashes: enough to tell that
// one differs, and of no use to who reads the memory later.
type Hashes map[string][8]byte

// Hash hashes variables ("NAME=value") with a key that only this process has. No
// variables are nil.
func Hash(key []byte, variables []string) Hashes {
	if variables == nil {
		return nil
	}
	all := make(Hashes, len(variables))
	for _, variable := range variables {
		name, value, _ := strings.Cut(variable, "=")
		if volatile(name) {
			continue
		}
		sum := hmac.New(sha256.New, key)
		sum.Write([]byte(value))
		all[name] = [8]byte(sum.Sum(nil))
	}
	return all
}

// volatile are variables that are different in each shell, connection or start
// without anybody having changed a thing.
func volatile(name string) bool {
	return slices.Contains([]string{"_", "PWD", "OLDPWD", "SHLVL", "TERM_SESSION_ID", "WINDOWID", "SSH_CLIENT", "SSH_CONNECTION", "SSH_TTY",
		"XDG_SESSION_ID", "INVOCATION_ID", "JOURNAL_STREAM", "KEEP", "LOG_LEVEL", "NOTEBOOK", "PRELUDE", "SESSION_IDLE_LIMIT", "SPARE_KERNEL"}, name)
}

// Differing names the variables that are not the same in both.
func (h Hashes) Differing(other Hashes) []string {
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
