package share

import (
	"errors"
	"os"
	"path/filepath"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/jupyter"
)

// Offer says how other clients are to find a kernel. The zero value offers nothing.
type Offer struct {
	// KernelName is what clients are told that the kernel is, as a kernelspec is called:
	// JupyterLab takes no connection file without one. "" for a kernel that is ours alone.
	KernelName string
	// Links are paths at which clients look for the connection file.
	Links []string
}

// On reports whether other clients may join.
func (o Offer) On() bool { return o.KernelName != "" }

// Publish writes the connection file, at a path in a private directory and readable by
// its owner alone, and links to it from where clients look. Where there are no links,
// they get copies.
func (o Offer) Publish(file string, info jupyter.ConnectionInfo) error {
	info.KernelName = o.KernelName
	if err := jupyter.WriteConnectionFile(file, info); err != nil {
		return err
	}
	for _, link := range o.Links {
		err := os.MkdirAll(filepath.Dir(link), 0o700)
		if err == nil && os.Symlink(file, link) != nil {
			err = jupyter.WriteConnectionFile(link, info)
		}
		if err != nil {
			o.Withdraw(file)
			return err
		}
	}
	return nil
}

// Withdraw removes what Publish has written.
func (o Offer) Withdraw(file string) error {
	var failed []error
	for _, path := range append([]string{file}, o.Links...) {
		if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
			failed = append(failed, err)
		}
	}
	return errors.Join(failed...)
}
