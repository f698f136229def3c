package jupyter

import (
	"bytes"
	"io"
	"strings"
)

// pictures are by what files of their types begin with.
var pictures = []struct{ mime, head string }{
	{"image/png", "\x89PNG\r\n\x1a\n"}, {"image/jpeg", "\xff\xd8\xff"}, {"image/gif", "GIF8"}, {"image/bmp", "BM"}, {"image/tiff", "II*\x00"}, {"image/tiff", "MM\x00*"},
	{"image/svg+xml", "<svg"},
}

// PictureType is the type of a picture by the content that begins with head: code may say
// image/png of WebP, and a program that opens a file goes by its name. What is no picture, or
// none that is known, is what mime says.
func PictureType(mime string, head []byte) string {
	if !strings.HasPrefix(mime, "image/") {
		return mime
	}
	if len(head) >= 12 && bytes.HasPrefix(head, []byte("RIFF")) && string(head[8:12]) == "WEBP" {
		return "image/webp"
	}
	for _, p := range pictures {
		if bytes.HasPrefix(head, []byte(p.head)) {
			return p.mime
		}
	}
	return mime
}

// PictureType is [PictureType] of v.
func (v Value) PictureType(mime string) string {
	f, err := v.Open()
	if err != nil {
		return mime
	}
	defer f.Close()
	var head [12]byte
	n, _ := io.ReadFull(f, head[:])
	return PictureType(mime, head[:n])
}
