package jupyter

import "testing"

// TestPictureType: the content decides, whatever the code says of it.
func TestPictureType(t *testing.T) {
	for _, test := range []struct{ said, content, want string }{
		{"image/png", "RIFF\x10\x00\x00\x00WEBPVP8 ", "image/webp"},
		{"image/jpeg", "\x89PNG\r\n\x1a\n", "image/png"},
		{"image/png", "\xff\xd8\xff\xe0", "image/jpeg"},
		{"image/webp", "GIF89a", "image/gif"},
		{"image/png", "BM6\x00", "image/bmp"},
		{"image/png", "MM\x00*\x00", "image/tiff"},
		{"image/png", "<svg xmlns='x'/>", "image/svg+xml"},
		{"image/svg+xml", "<?xml version='1.0'?><svg/>", "image/svg+xml"},
		{"image/png", "not a picture", "image/png"},
		{"image/png", "", "image/png"},
		{"text/html", "<svg/>", "text/html"},
	} {
		if got := TextValue(test.content).PictureType(test.said); got != test.want {
			t.Errorf("%s %q: %s", test.said, test.content, got)
		}
	}
}
