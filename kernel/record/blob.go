package record

import (
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/jupyter"
)

const (
	inlineMax   = 64 << 10 // a value above it becomes a file
	spillMax    = 1 << 10  // the same for a line that grew too long
	wholeLine   = lineMax  // no value does: for an entry that was in memory
	maxCode     = 16 << 20
	maxMetadata = 4 << 20

	filesDir = "files"
)

var errFileName = errors.New("value names a file outside the record")

// jupyter returns v as the rest of the program knows it.
func (v *value) jupyter(dir string) (jupyter.Value, error) {
	switch {
	case v == nil:
		return jupyter.Value{}, nil
	case v.File != "":
		name, offset, err := place(v.File)
		if err != nil || v.Size < 0 || offset > math.MaxInt64-v.Size {
			return jupyter.Value{}, errFileName
		}
		return jupyter.Value{Path: filepath.Join(dir, filesDir, name), Offset: offset, Size: v.Size}, nil
	case len(v.Base64) > 0:
		return jupyter.InlineValue(v.Base64), nil
	}
	return jupyter.TextValue(v.Text), nil
}

// load returns the bytes of v, all of them or an error.
func (v *value) load(dir string, limit int64) ([]byte, error) {
	jv, err := v.jupyter(dir)
	if err != nil {
		return nil, err
	}
	if jv.Size > limit {
		return nil, fmt.Errorf("%d bytes are more than %d", jv.Size, limit)
	}
	b, err := jv.Bytes(limit)
	if err != nil {
		return nil, err
	}
	if int64(len(b)) != jv.Size {
		return nil, io.ErrUnexpectedEOF // power cut: the line arrived, its file did not
	}
	return b, nil
}

// store makes v ready for a line: inline up to max bytes, otherwise in a file.
// mime is empty for a traceback and the like.
func (r *Record) store(exec, mime string, v jupyter.Value, max int) (*value, error) {
	if v.Path != "" {
		if filepath.Dir(v.Path) == filepath.Join(r.dir, filesDir) {
			return &value{File: placed(filepath.Base(v.Path), v.Offset), Size: v.Size}, nil
		}
		return nil, fmt.Errorf("storing value: %s is not a file of this record", v.Path)
	}
	if max == wholeLine || len(v.Inline) <= max && !isMedia(mime) {
		return inline(v.Inline), nil
	}
	name := fileName(exec, r.files.Add(1), jupyter.PictureType(mime, v.Inline))
	if err := r.writeFile(name, v.Inline, false); err != nil {
		return nil, &diskError{"writing value", err}
	}
	return &value{File: name, Size: int64(len(v.Inline))}, nil
}

// storeCode is store for code, which must outlive a power cut once it is synced.
func (r *Record) storeCode(exec, code string, max int) (*value, error) {
	if max == wholeLine || len(code) <= max {
		return inline([]byte(code)), nil
	}
	name := fileName(exec, r.files.Add(1), "text/x-python")
	if err := r.writeFile(name, []byte(code), !r.opts.Ephemeral); err != nil {
		return nil, &diskError{"writing code", err}
	}
	return &value{File: name, Size: int64(len(code))}, nil
}

func inline(b []byte) *value {
	if utf8.Valid(b) {
		return &value{Text: string(b)}
	}
	return &value{Base64: b} // lone surrogates, binary buffers: kept byte for byte
}

// writeFile writes one value. A file that could not be finished is removed: it
// holds the space that others need.
func (r *Record) writeFile(name string, b []byte, sync bool) error {
	path := filepath.Join(r.dir, filesDir, name)
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err == nil && sync {
		err = fsync(f)
	}
	if cerr := f.Close(); err == nil {
		err = cerr // a network disk may tell only now that it is full
	}
	if err != nil {
		os.Remove(path)
		return err
	}
	if sync {
		return syncDir(filepath.Dir(path))
	}
	return nil
}

// fileName is <execution>.<number><extension>; the number alone makes it unique.
func fileName(exec string, n int64, mime string) string {
	return safe(exec, 64) + "." + strconv.FormatInt(n, 10) + Extension(mime)
}

// safe keeps letters, digits, '-' and '_' of s and at most n bytes.
func safe(s string, n int) string {
	b := []byte(s)
	b = b[:min(len(b), n)]
	for i, c := range b {
		if !isNameByte(c) {
			b[i] = '_'
		}
	}
	return string(b)
}

func isNameByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_'
}

// isFileName reports whether s can be a name that fileName made. Lines are
// bytes from a disk: a name must not lead out of the record.
func isFileName(s string) bool {
	for i := range len(s) {
		if !isNameByte(s[i]) && s[i] != '.' {
			return false
		}
	}
	return s != "" && s != "." && s != ".."
}

// isMedia reports whether a person opens values of this type with a program:
// these are files whatever their size.
func isMedia(mime string) bool {
	major, _, _ := strings.Cut(mime, "/")
	switch major {
	case "image", "audio", "video":
		return true
	}
	return mime == "application/pdf"
}

// Extension is what the name of a file with data of a MIME type ends with. It is fixed here, not asked of the system: names must not depend on
// what is installed.
func Extension(mime string) string {
	mime, _, _ = strings.Cut(strings.ToLower(mime), ";")
	switch mime = strings.TrimSpace(mime); mime {
	case "image/png", "image/gif", "image/webp", "image/bmp", "image/tiff", "image/avif", "audio/ogg", "audio/flac", "audio/mp4", "audio/webm",
		"video/mp4", "video/webm", "video/ogg", "text/html", "text/csv", "text/css",
		"application/pdf", "application/json", "application/xml", "application/zip":
		return "." + mime[strings.IndexByte(mime, '/')+1:]
	case "image/jpeg":
		return ".jpg"
	case "image/svg+xml":
		return ".svg"
	case "text/markdown":
		return ".md"
	case "text/latex":
		return ".tex"
	case "text/x-python":
		return ".py"
	case "application/javascript", "text/javascript":
		return ".js"
	case "audio/wav", "audio/x-wav", "audio/wave":
		return ".wav"
	case "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet":
		return ".xlsx"
	case "application/vnd.openxmlformats-officedocument.wordprocessingml.document":
		return ".docx"
	case "audio/mpeg", "audio/mp3":
		return ".mp3"
	}
	switch {
	case mime == "" || strings.HasPrefix(mime, "text/"):
		return ".txt"
	case strings.HasSuffix(mime, "+json"):
		return ".json"
	}
	return ".bin"
}
