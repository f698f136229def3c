package serve

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/flock"
)

// Token is who may come in. The secret itself is kept nowhere.
type Token struct {
	Name string `json:"name"`
	// ID is the owner of sessions and records: a token that is renewed keeps it, one
	// that is revoked and made again does not.
	ID      string    `json:"id"`
	Hash    string    `json:"sha256"` // of the secret, in hex
	Created time.Time `json:"created"`
}

// tokenPrefix lets a person, and programs that look for secrets, know one.
const tokenPrefix = "mce_"

// maxTokens bounds the file.
const maxTokens = 256

// Tokens is the file of tokens. It is safe for concurrent use, by several processes
// too.
type Tokens struct {
	path string

	mu     sync.Mutex // protects the fields below
	tokens []Token
	read   fs.FileInfo // the file as it was read
}

// OpenTokens returns the tokens of a state directory. Nothing is read yet.
func OpenTokens(state string) *Tokens {
	return &Tokens{path: filepath.Join(state, "serve", "tokens.json")}
}

// Path is the file.
func (t *Tokens) Path() string { return t.path }

// List returns the tokens by name.
func (t *Tokens) List() ([]Token, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	err := t.refreshLocked()
	return slices.Clone(t.tokens), err
}

// Known finds the token of that secret. Each is compared, in constant time.
func (t *Tokens) Known(secret string) (found Token, ok bool, err error) {
	sum := sha256.Sum256([]byte(secret))
	given := []byte(hex.EncodeToString(sum[:]))
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.refreshLocked(); err != nil {
		return Token{}, false, err
	}
	for _, token := range t.tokens {
		if subtle.ConstantTimeCompare(given, []byte(token.Hash)) == 1 {
			found, ok = token, true
		}
	}
	return found, ok, nil
}

// Add makes a token and returns its secret.
func (t *Tokens) Add(name string) (secret string, err error) {
	if !validToken(name) {
		return "", fmt.Errorf("%q is no name for a token: use 1 to 40 letters, digits, '-', '_' or '.'", name)
	}
	secret = tokenPrefix + rand.Text()
	return secret, t.change(func(all []Token) ([]Token, error) {
		switch {
		case indexOf(all, name) >= 0:
			return nil, fmt.Errorf("there is a token %s already: \"tokens renew %s\" gives it a new secret", name, name)
		case len(all) >= maxTokens:
			return nil, fmt.Errorf("there are %d tokens, which is the most: revoke one", maxTokens)
		}
		return append(all, Token{Name: name, ID: strings.ToLower(rand.Text()[:16]), Hash: hashOf(secret), Created: time.Now().UTC().Truncate(time.Second)}), nil
	})
}

// Renew gives a token a new secret; the old one is refused from now on.
func (t *Tokens) Renew(name string) (secret string, err error) {
	secret = tokenPrefix + rand.Text()
	return secret, t.change(func(all []Token) ([]Token, error) {
		i := indexOf(all, name)
		if i < 0 {
			return nil, noToken(all, name)
		}
		all[i].Hash, all[i].Created = hashOf(secret), time.Now().UTC().Truncate(time.Second)
		return all, nil
	})
}

// Revoke removes a token: it is refused from now on, and its sessions end.
func (t *Tokens) Revoke(name string) error {
	return t.change(func(all []Token) ([]Token, error) {
		i := indexOf(all, name)
		if i < 0 {
			return nil, noToken(all, name)
		}
		return slices.Delete(all, i, i+1), nil
	})
}

func noToken(all []Token, name string) error {
	var names []string
	for _, t := range all {
		names = append(names, t.Name)
	}
	if len(names) == 0 {
		return fmt.Errorf("there is no token %q: there are none yet", name)
	}
	return fmt.Errorf("there is no token %q; there are: %s", name, strings.Join(names, ", "))
}

func indexOf(all []Token, name string) int {
	return slices.IndexFunc(all, func(t Token) bool { return t.Name == name })
}

func hashOf(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}

func validToken(name string) bool {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_.", r)
	}
	return name != "" && len(name) <= 40 && !strings.HasPrefix(name, "-") && strings.IndexFunc(name, func(r rune) bool { return !plain(r) }) < 0
}

// refreshLocked reads the file when it has changed. A file that is not there has no
// tokens; one that others can read is an error. The caller must hold t.mu.
func (t *Tokens) refreshLocked() error {
	info, err := os.Lstat(t.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		t.tokens, t.read = nil, nil
		return nil
	case err != nil:
		return fmt.Errorf("reading tokens: %w", err)
	case t.read != nil && os.SameFile(info, t.read) && info.ModTime().Equal(t.read.ModTime()) && info.Size() == t.read.Size():
		return nil
	case !info.Mode().IsRegular():
		return fmt.Errorf("reading tokens: %s is not a file", t.path)
	case runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0:
		return fmt.Errorf("reading tokens: %s can be read by others: chmod 600 it", t.path)
	}
	text, err := os.ReadFile(t.path)
	if err != nil {
		return fmt.Errorf("reading tokens: %w", err)
	}
	var tokens []Token
	if err := json.Unmarshal(text, &tokens); err != nil {
		return fmt.Errorf("reading tokens: %s: %w", t.path, err)
	}
	for _, token := range tokens {
		if !validToken(token.Name) || token.ID == "" || len(token.Hash) != hex.EncodedLen(sha256.Size) {
			return fmt.Errorf("reading tokens: %s: the entry %.40q is not whole", t.path, token.Name)
		}
	}
	slices.SortFunc(tokens, func(a, b Token) int { return strings.Compare(a.Name, b.Name) })
	t.tokens, t.read = tokens, info
	return nil
}

// change replaces the tokens, under a lock that other processes take too.
func (t *Tokens) change(to func(all []Token) ([]Token, error)) error {
	dir := filepath.Dir(t.path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("writing tokens: %w", err)
	}
	lock, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("writing tokens: %w", err)
	}
	defer lock.Close()
	for begun := time.Now(); ; time.Sleep(5 * time.Millisecond) {
		err := flock.Try(lock.Fd(), true)
		if err == nil {
			break
		}
		if !flock.Held(err) || time.Since(begun) > 5*time.Second {
			return fmt.Errorf("writing tokens: locking %s: %w", lock.Name(), err)
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.refreshLocked(); err != nil {
		return err
	}
	tokens, err := to(slices.Clone(t.tokens))
	if err != nil {
		return err
	}
	return t.writeLocked(dir, tokens)
}

// writeLocked writes the file anew, for its owner alone. The caller must hold t.mu.
func (t *Tokens) writeLocked(dir string, tokens []Token) error {
	text, err := json.MarshalIndent(tokens, "", "  ")
	if err != nil {
		return fmt.Errorf("writing tokens: %w", err)
	}
	file, err := os.CreateTemp(dir, "tokens-") // 0600
	if err != nil {
		return fmt.Errorf("writing tokens: %w", err)
	}
	defer os.Remove(file.Name())
	_, err = file.Write(append(text, '\n'))
	if err = errors.Join(err, file.Sync(), file.Close()); err == nil {
		err = os.Rename(file.Name(), t.path)
	}
	if err != nil {
		return fmt.Errorf("writing tokens: %w", err)
	}
	return t.refreshLocked()
}
