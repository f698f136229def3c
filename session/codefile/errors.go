package codefile

import (
	"errors"
	"fmt"
	"strings"
)

// NameError says that a name cannot be given to a code file.
type NameError struct {
	Name       string
	Reason     string // completes "the name NAME …": "is longer than 200 bytes"
	Suggestion string // a name that can be used, "" if none is obvious
}

func (e *NameError) Error() string {
	s := fmt.Sprintf("the name %s %s", quote(e.Name), e.Reason)
	if e.Suggestion != "" {
		s += fmt.Sprintf("; use %q", e.Suggestion)
	}
	return s
}

// NotFoundError says that there is no such code file.
type NotFoundError struct {
	Path string   // as it was asked for
	Near []string // names that exist and are close to it, best first, at most three
	// Storage is the directory that was searched, Names what it holds, at most ten
	// of Total. They are told when nothing is near.
	Storage string
	Names   []string
	Total   int
	// WorkFile is the absolute path of such a file in the directory where code
	// runs, "" for none.
	WorkFile string
	// WorkDir is the directory where code runs, which does not have it either; "" for one
	// that was not looked at.
	WorkDir string
	// Work says that Storage is no code storage but the directory where code runs.
	Work bool

	instead func(file string) string // what to do with that file
}

func (e *NotFoundError) Error() string {
	s := "there is no code file " + quote(e.Path)
	if e.WorkFile != "" {
		s += fmt.Sprintf(" in the code storage %s, but there is one in the working directory: %s", e.Storage, quote(e.WorkFile))
		if e.instead != nil {
			s += "; " + e.instead(e.WorkFile)
		}
		return s
	}
	either := ""
	if e.WorkDir != "" {
		either = fmt.Sprintf("; %s has no such file either", e.WorkDir)
	}
	if len(e.Near) > 0 {
		return s + fmt.Sprintf("; did you mean %s?", strings.Join(e.Near, ", ")) + either
	}
	if len(e.Names) > 0 {
		s += fmt.Sprintf("; %s has: %s", e.searched(), strings.Join(e.Names, ", "))
		if more := e.Total - len(e.Names); more > 0 {
			s += fmt.Sprintf(", and %d more", more)
		}
		return s + either
	}
	return s + fmt.Sprintf("; %s has no files", e.searched()) + either
}

func (e *NotFoundError) searched() string {
	if e.Work {
		return "the working directory " + e.Storage
	}
	return "the code storage " + e.Storage
}

// NotRegularError says that something is there that is no plain file of one
// name.
type NotRegularError struct {
	Path string
	Kind string // "a directory", "a FIFO", "a file with 2 hard links", …
}

func (e *NotRegularError) Error() string {
	return fmt.Sprintf("%s is %s, not a regular file of its own", quote(e.Path), e.Kind)
}

// OutsideError says that a path leads out of the code storage.
type OutsideError struct {
	Path    string // as it was asked for
	Storage string // the storage directory
	File    string // its absolute path
	Link    bool   // a symbolic link in the storage leads there; one with an absolute target does always
	WorkDir string // the directory where code runs, when a file in it would do as well, else ""
	Instead string // how to do without this tool what was wanted, "" if unknown
}

func (e *OutsideError) Error() string {
	s := fmt.Sprintf("%s is outside the code storage %s, and this tool uses only files in it", quote(e.Path), e.Storage)
	if e.Link {
		s = fmt.Sprintf("%s is or lies behind a symbolic link that leads outside the code storage %s, or has an absolute target, and this tool uses only files in it", quote(e.Path), e.Storage)
	} else if e.WorkDir != "" {
		s = fmt.Sprintf("%s is outside the code storage %s and the working directory %s, and this tool uses only files in these", quote(e.Path), e.Storage, e.WorkDir)
	}
	if e.Instead != "" {
		s += "; " + e.Instead
	}
	return s
}

// instead adds to err, when it is an [*OutsideError] or a [*NotFoundError], what to
// do instead with a file that is elsewhere.
func instead(err error, words func(file string) string) error {
	if e, ok := errors.AsType[*OutsideError](err); ok {
		e.Instead = words(e.File)
	}
	if e, ok := errors.AsType[*NotFoundError](err); ok {
		e.instead = words
	}
	return err
}

// StorageError says that the storage directory, or the disk below it, failed.
type StorageError struct {
	Path   string
	Reason string
	Fix    string // what to do, "" if unknown
	Err    error  // the cause, or nil
}

func (e *StorageError) Error() string {
	s := e.Path + ": " + e.Reason
	if e.Fix != "" {
		s += "; " + e.Fix
	}
	return s
}

// Unwrap gives the cause, so that errors.Is finds syscall.ENOSPC and the like.
func (e *StorageError) Unwrap() error { return e.Err }

// TooLargeError says that a content or a file is over a limit.
type TooLargeError struct {
	What        string // "the content", or the file's path
	Size, Limit int64  // bytes
}

func (e *TooLargeError) Error() string {
	return fmt.Sprintf("%s is %d bytes, the limit is %d bytes (%d MiB)", e.What, e.Size, e.Limit, e.Limit>>20)
}

// BinaryError says that a file is no text.
type BinaryError struct {
	Path string
	Size int64  // bytes
	Why  string // "holds a NUL byte at 12"
}

func (e *BinaryError) Error() string {
	return fmt.Sprintf("%s (%d bytes) is not a text file: it %s", quote(e.Path), e.Size, e.Why)
}

// EncodingError says that a source is written in another encoding than text is added in.
type EncodingError struct {
	Path     string
	Encoding string // as the source says
}

func (e *EncodingError) Error() string {
	return fmt.Sprintf("%s says that it is written in %s, and this tool adds UTF-8, which would be read as other characters: write what is not ASCII as escapes, such as \\u00fc", quote(e.Path), e.Encoding)
}

// quote shows a hostile or endless name in a bounded, printable form.
func quote(s string) string {
	const most = 120
	if len(s) > most {
		return fmt.Sprintf("%q… (%d bytes)", s[:most], len(s))
	}
	return fmt.Sprintf("%q", s)
}
