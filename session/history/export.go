package history

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/jupyter"
	"github.com/mcp-code-executor/mcp-code-executor/session/codefile"
	"github.com/mcp-code-executor/mcp-code-executor/session/notebook"
)

// Export is how a story is written.
type Export struct {
	Format notebook.Format
	// Path is where in the store; "" is a free name after the session.
	Path string
	// Overwrite replaces files that are there.
	Overwrite bool
}

// Written is what an export has made.
type Written struct {
	File codefile.File
	// Pictures is how many pictures lie in the directory Folder, a name beside the file.
	Pictures int
	Folder   string
}

// Write writes a story into a store. What is there already is left alone, unless it is
// to be overwritten; when something fails nothing new is left.
func (e Export) Write(story *notebook.Story, store *codefile.Store) (Written, error) {
	var done Written
	path := e.Path
	if path == "" {
		path = Name(story) + e.Format.Extension()
	} else if !strings.EqualFold(filepath.Ext(path), e.Format.Extension()) {
		path += e.Format.Extension()
	}
	folder := &folder{store: store, path: strings.TrimSuffix(path, filepath.Ext(path)) + "_files", free: e.Path == "", existing: e.Overwrite}
	write := func(w io.Writer) error {
		switch e.Format {
		case notebook.FormatScript:
			return story.WriteScript(w)
		case notebook.FormatMarkdown:
			return story.WriteMarkdown(w, folder.add)
		}
		return story.WriteNotebook(w)
	}
	var err error
	if e.Path == "" && !e.Overwrite {
		done.File, err = store.SaveBeside(path, write)
	} else {
		done.File, err = store.Save(path, e.Overwrite, write)
	}
	if err != nil {
		folder.drop()
		return Written{}, err
	}
	if folder.pictures > 0 {
		done.Pictures, done.Folder = folder.pictures, filepath.Base(folder.path)
	}
	return done, nil
}

// Name is what a session's files are called, without an extension.
func Name(story *notebook.Story) string {
	name := strings.TrimLeft(story.Session, "-. ")
	if len(story.Runs) > 0 {
		prefix, _, _ := notebook.SplitID(story.Runs[0].ID)
		name += "-" + prefix
	}
	return name
}

// folder is the directory of a text's pictures, made with the first one.
type folder struct {
	store    *codefile.Store
	path     string
	free     bool // another name will do when this one is taken
	existing bool
	made     bool
	pictures int
}

func (f *folder) add(name string, content jupyter.Value) (string, error) {
	if f.pictures == 0 {
		if err := f.make(); err != nil {
			return "", err
		}
	}
	f.pictures++
	path := filepath.Join(f.path, name)
	_, err := f.store.Save(path, true, func(w io.Writer) error {
		r, err := content.Open()
		if err != nil {
			return err
		}
		defer r.Close()
		_, err = io.Copy(w, r)
		return err
	})
	return filepath.ToSlash(filepath.Join(filepath.Base(f.path), name)), err
}

func (f *folder) make() error {
	path := f.path
	for n := 2; ; n++ {
		err := f.store.MakeFolder(path, false)
		var exists *codefile.ExistsError
		switch {
		case err == nil:
			f.path, f.made = path, true
			return nil
		case !errors.As(err, &exists):
			return err
		case f.existing:
			f.path = path
			return f.store.MakeFolder(path, true)
		case !f.free || n > 1000:
			return err
		}
		path = fmt.Sprintf("%s_%d", f.path, n)
	}
}

// drop removes what was made for an export that failed.
func (f *folder) drop() {
	if f.made {
		f.store.DropFolder(f.path)
	}
}
