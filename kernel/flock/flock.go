package flock

// Try locks the file behind fd at once, or says why not: see [Held] and
// [Unsupported]. Locks that are not exclusive can be shared.
func Try(fd uintptr, exclusive bool) error { return try(fd, exclusive) }

// Unlock gives a lock back before its file is closed.
func Unlock(fd uintptr) { unlock(fd) }

// Held reports whether an error of [Try] says that another one has the lock.
func Held(err error) bool { return held(err) }

// Unsupported reports whether an error of [Try] says that the file system has no
// locks.
func Unsupported(err error) bool { return unsupported(err) }
