//go:build unix

package keep

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"time"
)

// found reports whether fronts look at this server's lock: what cleans up may have
// taken it, and another server may be in its place.
func (b *background) found() bool {
	own, err := b.alive.Stat()
	if err != nil {
		return false
	}
	there, err := os.Lstat(b.place.file(b.address.Key, "alive"))
	return err == nil && os.SameFile(own, there)
}

// keepPlace takes the lock anew when its file, or the whole directory, was removed.
// Where another server has it by then, this one goes on for those who are connected.
func (b *background) keepPlace() error {
	if b.found() {
		return nil
	}
	if _, err := openPlace(filepath.Dir(b.place.dir)); err != nil {
		return err
	}
	unlock, err := b.place.lock(0)
	if err != nil {
		return nil // somebody starts a server, or ends one: later
	}
	defer unlock()
	alive, err := b.place.claim(b.address.Key)
	if alive == nil {
		return err
	}
	b.alive.Close()
	b.alive = alive
	b.openLog() // whose file may be gone as well
	return nil
}

// keepSocket makes the socket when there is none, or when something that cleans
// temporary files has taken it, and sees to it that it can be found.
func (b *background) keepSocket() error {
	dir, err := b.dir.Get(nil)
	if err != nil {
		return err
	}
	path := dir + "/s"
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closing {
		return nil
	}
	now, err := os.Lstat(path)
	if err != nil || b.socket == nil || !os.SameFile(now, b.socket) {
		if err := b.listenLocked(path); err != nil {
			return err
		}
	}
	if !b.found() {
		return nil // another server's address may be there
	}
	if a, err := b.place.address(b.address.Key); err == nil && a.Socket == path && a.PID == b.address.PID {
		return nil
	}
	b.address.Socket = path
	return b.place.publish(b.address)
}

func (b *background) listenLocked(path string) error {
	_ = os.Remove(path) // in a directory that is ours alone
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return err
	}
	listener.SetUnlinkOnClose(false) // the next one may have its name by then
	err = os.Chmod(path, 0o600)
	info, statErr := os.Lstat(path)
	if err = errors.Join(err, statErr); err != nil {
		listener.Close()
		return err
	}
	if b.listener != nil {
		b.listener.Close()
	}
	b.listener, b.socket = listener, info
	go b.accept(listener)
	return nil
}

// accept takes connections until the listener is closed.
func (b *background) accept(listener *net.UnixListener) {
	for {
		conn, err := listener.AcceptUnix()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil { // too many files are open
			b.log.Warn("accepting", "err", err)
			time.Sleep(look)
			continue
		}
		if !b.begin(conn) {
			conn.Close()
			return
		}
		go func() {
			defer b.over(conn)
			if err := b.attend(conn); err != nil {
				b.log.Warn("connection", "err", err)
			}
		}()
	}
}
