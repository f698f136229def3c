package render

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"hash/crc32"
	"image"
	"image/color"
	"image/color/palette"
	"image/gif"
	"image/jpeg"
	"image/png"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/jupyter"
)

// noise is the worst case for every encoder.
func noise(w, h int) *image.NRGBA {
	random := rand.New(rand.NewPCG(uint64(w), uint64(h)))
	img := image.NewNRGBA(image.Rect(0, 0, w, h))
	for i := range img.Pix {
		img.Pix[i] = uint8(random.Uint32())
	}
	return img
}

func testPNG(t testing.TB, w, h int) []byte {
	t.Helper()
	return encodedAs(t, "PNG", noise(w, h))
}

func encodedAs(t testing.TB, kind string, img image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	var err error
	switch kind {
	case "PNG":
		err = png.Encode(&b, img)
	case "JPEG":
		err = jpeg.Encode(&b, img, nil)
	case "GIF":
		err = gif.Encode(&b, img, nil)
	}
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func gray16(w, h int) image.Image {
	img := image.NewNRGBA64(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			img.Set(x, y, color.NRGBA64{uint16(x * 50), uint16(y * 70), 900, uint16(65535 - x)})
		}
	}
	return img
}

func animation(t testing.TB, frames int) []byte {
	t.Helper()
	g := &gif.GIF{}
	for i := range frames {
		img := image.NewPaletted(image.Rect(0, 0, 40, 30), palette.Plan9)
		img.SetColorIndex(i, i, 7)
		g.Image, g.Delay = append(g.Image, img), append(g.Delay, 10)
	}
	var b bytes.Buffer
	if err := gif.EncodeAll(&b, g); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// declares is a PNG that says it is w×h and holds nothing.
func declares(t testing.TB, w, h uint32) []byte {
	b := bytes.Clone(testPNG(t, 1, 1))
	binary.BigEndian.PutUint32(b[16:], w)
	binary.BigEndian.PutUint32(b[20:], h)
	binary.BigEndian.PutUint32(b[29:], crc32.ChecksumIEEE(b[12:29]))
	return b
}

func TestFitImage(t *testing.T) {
	t.Parallel()
	small := testPNG(t, 60, 40)
	photo := encodedAs(t, "JPEG", noise(300, 200))
	moving := animation(t, 3)
	for _, c := range []struct {
		name     string
		in       []byte
		same     bool // sent byte by byte
		mime     string
		from, to string
		err      string
	}{
		{name: "small PNG", in: small, same: true, mime: "image/png"},
		{name: "small JPEG", in: photo, same: true, mime: "image/jpeg"},
		{name: "small GIF", in: encodedAs(t, "GIF", noise(30, 20)), same: true, mime: "image/gif"},
		{name: "animation", in: moving, same: true, mime: "image/gif"},
		{name: "16 bits", in: encodedAs(t, "PNG", gray16(200, 100)), same: true, mime: "image/png"},
		{name: "wide, few colours", in: encodedAs(t, "PNG", image.NewPaletted(image.Rect(0, 0, 5000, 200), palette.WebSafe)), mime: "image/png", to: "1568x62"},
		{name: "tall, 16 bits", in: encodedAs(t, "PNG", gray16(100, 3000)), mime: "image/png", to: "52x1568"},
		{name: "one row", in: encodedAs(t, "PNG", noise(20_000, 1)), mime: "image/png", to: "1568x1"},
		{name: "noise becomes JPEG", in: testPNG(t, 450, 400), mime: "image/jpeg", to: "450x400"},
		{name: "much noise", in: testPNG(t, 1700, 500), mime: "image/jpeg"},
		{name: "nothing", in: nil, err: "no PNG, JPEG, GIF or WebP"},
		{name: "text", in: []byte("<svg></svg>"), err: "no PNG, JPEG, GIF or WebP"},
		{name: "truncated PNG", in: small[:len(small)-20], err: "truncated PNG"},
		{name: "PNG without its end", in: small[:len(small)-12], err: "truncated PNG"},
		{name: "truncated JPEG", in: photo[:len(photo)-2], err: "truncated JPEG"},
		{name: "truncated animation", in: moving[:len(moving)-1], err: "truncated GIF"},
		{name: "corrupt PNG", in: append(append(bytes.Clone(small[:100]), small[100]^0xff), small[101:]...), err: "corrupt PNG"},
		{name: "bomb", in: declares(t, 60_000, 60_000), err: "60000x60000 PNG is too large to decode"},
		{name: "no pixels", in: declares(t, 0, 5), err: "corrupt PNG"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f, err := fitImage(c.in, imageBytes, nil)
			if c.err != "" {
				if err == nil || !strings.Contains(err.Error(), c.err) {
					t.Fatalf("error %v, want %q", err, c.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			checkFitted(t, f, imageBytes)
			if f.mime != c.mime || c.same != bytes.Equal(f.data, c.in) || c.to != "" && c.to != strings.Trim(strings.ReplaceAll(f.to.String(), ",", "x"), "()") {
				t.Errorf("%s %v → %v, %d bytes, the same: %v", f.mime, f.from, f.to, len(f.data), bytes.Equal(f.data, c.in))
			}
			if c.same {
				junk, err := fitImage(append(bytes.Clone(c.in), "junk\xff\xd9\x00IEND"...), imageBytes, nil)
				if err != nil || !bytes.Equal(junk.data, c.in) {
					t.Errorf("junk after the end is not cut off: %v", err)
				}
			}
		})
	}
}

// checkFitted checks that what is sent is a whole image within the limits.
func checkFitted(t testing.TB, f fitted, limit int) {
	t.Helper()
	img, kind, err := image.Decode(bytes.NewReader(f.data))
	if err != nil || "image/"+kind != f.mime {
		t.Fatalf("what is sent as %s is %s, %v", f.mime, kind, err)
	}
	size := img.Bounds().Size()
	if max(size.X, size.Y) > maxSide || size != f.to || len(f.data) > limit {
		t.Fatalf("%v (said %v), %d bytes", size, f.to, len(f.data))
	}
}

// A transparent image is shown on white.
func TestShrinkTransparent(t *testing.T) {
	t.Parallel()
	img := image.NewNRGBA(image.Rect(0, 0, 3200, 100))
	f, err := fitImage(encodedAs(t, "PNG", img), imageBytes, nil)
	if err != nil {
		t.Fatal(err)
	}
	shown, err := png.Decode(bytes.NewReader(f.data))
	if err != nil {
		t.Fatal(err)
	}
	if r, g, b, a := shown.At(5, 5).RGBA(); r != 0xffff || g != 0xffff || b != 0xffff || a != 0xffff {
		t.Errorf("transparent is shown as %x %x %x %x", r, g, b, a)
	}
}

func TestRenderImages(t *testing.T) {
	png := func(w int) jupyter.Output {
		return shows("image/png", string(testPNG(t, w, 10)), "text/plain", "<Figure size 1x1>")
	}
	for _, c := range []struct {
		name    string
		outputs []jupyter.Output
		want    string
		sent    int
	}{
		{"between text", []jupyter.Output{stdout("a\n"), png(3), stdout("b\n")}, "a\n[image 1: 3x10 PNG]\n<image>\nb\n", 1},
		{"first", []jupyter.Output{result(4, png(3))}, "Out[4]: [image 1: 3x10 PNG]\n<image>\n", 1},
		{"the same twice", []jupyter.Output{png(3), png(3), png(4), png(3)},
			"[image 1: 3x10 PNG]\n<image>\n[image 2: the same as the image before it, not sent again]\n[image 3: 4x10 PNG]\n<image>\n[image 4: 3x10 PNG]\n<image>\n", 3},
		{"a type that is wrong", []jupyter.Output{shows("image/jpeg", string(testPNG(t, 3, 10)))}, "[image 1: 3x10 PNG]\n<image>\n", 1},
		{"broken", []jupyter.Output{stdout("a\n"), shows("image/png", "junk")}, "a\n[image 1: not shown, no PNG, JPEG, GIF or WebP; 4 bytes]\n", 0},
		{"an animation by clear_output", []jupyter.Output{png(1), clears(true), png(2), clears(true), png(3)}, clearedLine + "\n[image 1: 3x10 PNG]\n<image>\n", 1},
		{"an animation by update", []jupyter.Output{named("d", png(1)), stdout("a\n"), updates("d", png(2)), updates("d", png(3))}, "[image 1: 3x10 PNG]\n<image>\na\n", 1},
		{"text replaces an image", []jupyter.Output{named("d", png(1)), updates("d", shows("text/plain", "done"))}, "done\n", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := Outputs(sequence(c.outputs...), testBudget(characters, false), Options{})
			got := pngSize.ReplaceAllString(imageBlock.ReplaceAllString(written(r), "<image>"), "PNG]")
			if got != c.want || r.Images != c.sent {
				t.Errorf("%d sent:\n%s", r.Images, got)
			}
		})
	}
}

var (
	imageBlock = regexp.MustCompile(`<<image block: [^>]*>>`)
	pngSize    = regexp.MustCompile(`PNG \d+ bytes\]`)
)

// Pictures stay where text is cut, and all together are within their limit.
func TestRenderManyImages(t *testing.T) {
	t.Parallel()
	var outputs []jupyter.Output
	for i := range 8 {
		outputs = append(outputs, stdout(strings.Repeat("text of a loop\n", 1000)), shows("image/png", string(testPNG(t, 320+i, 260))))
	}
	r := Outputs(sequence(outputs...), testBudget(characters, false), Options{ReadOn: "read on"})
	total := 0
	for _, b := range r.Blocks {
		total += len(b.Image)
	}
	if r.Images != 5 || total > totalImageBytes || total < totalImageBytes/3 || r.Characters > 30_000 || !r.Cut {
		t.Errorf("%d images of %d bytes, %d characters", r.Images, total, r.Characters)
	}
}

func FuzzImage(f *testing.F) {
	f.Add(testPNG(f, 9, 7), 450_000)
	f.Add(encodedAs(f, "JPEG", noise(20, 9)), 500)
	f.Add(animation(f, 2), 100)
	f.Add(encodedAs(f, "PNG", gray16(30, 4)), 120)
	f.Add([]byte("RIFF\x1a\x00\x00\x00WEBPVP8L\x0d\x00\x00\x00\x2f\x00\x00\x00\x10\x07\x10\x11\x11\x88\x88\xfe\x07\x00"), 1000)
	for _, b := range webps(f) {
		f.Add(b, 1000)
	}
	f.Fuzz(func(t *testing.T, in []byte, limit int) {
		if c, err := decodeConfig(sniff(in), in); err == nil && c.Width*c.Height > 1<<20 {
			return // slow, not different
		}
		limit = max(100, limit)
		fitted, err := fitImage(in, limit, nil)
		if err != nil {
			if fitted.data != nil && !strings.Contains(err.Error(), "readable") {
				t.Fatalf("data and an error: %v", err)
			}
			return
		}
		if fitted.mime == "image/gif" || fitted.mime == "image/webp" {
			return
		}
		checkFitted(t, fitted, limit)
	})
}

func BenchmarkFitImage(b *testing.B) {
	data := encodedAs(b, "PNG", gray16(4000, 3000))
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		if _, err := fitImage(data, imageBytes, nil); err != nil {
			b.Fatal(err)
		}
	}
}

// TestImageGate: two big pictures at a time, one huge one, small ones as they come.
func TestImageGate(t *testing.T) {
	gate := NewGate()
	leave := []func(){gate.enter(bigPicture), gate.enter(hugePicture - 1), gate.enter(hugePicture)}
	gate.enter(bigPicture - 1)() // does not wait
	if len(gate.big) != cap(gate.big) || len(gate.huge) != cap(gate.huge) {
		t.Error("another big picture is let in")
	}
	for _, f := range leave {
		f()
	}
	gate.enter(bigPicture)()
	(*Gate)(nil).enter(bigPicture)()
}

// pngOf is a PNG with right sums, whatever its rows and its header are.
func pngOf(t testing.TB, w, h uint32, depth, kind, interlaced byte, rows []byte, more ...string) []byte {
	t.Helper()
	b := bytes.NewBufferString("\x89PNG\r\n\x1a\n")
	chunk := func(name string, body []byte) {
		whole := append([]byte(name), body...)
		binary.Write(b, binary.BigEndian, uint32(len(body)))
		b.Write(whole)
		binary.Write(b, binary.BigEndian, crc32.ChecksumIEEE(whole))
	}
	header := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, w), h)
	chunk("IHDR", append(header, depth, kind, 0, 0, interlaced))
	for _, name := range more {
		chunk(name, []byte("Software\x00one"))
	}
	var packed bytes.Buffer
	z := zlib.NewWriter(&packed)
	z.Write(rows)
	z.Close()
	half := packed.Len() / 2
	chunk("IDAT", packed.Bytes()[:half])
	chunk("IDAT", packed.Bytes()[half:])
	chunk("IEND", nil)
	return b.Bytes()
}

// TestWholePNG: what is sent as it is without having been decoded can be decoded; what is
// not certain is decoded.
func TestWholePNG(t *testing.T) {
	t.Parallel()
	rgba, gray := make([]byte, 4*(1+3*4)), make([]byte, 4*(1+3*2))
	plot := pngOf(t, 3, 4, 8, 6, 0, rgba, "tEXt")
	for _, c := range []struct {
		name string
		in   []byte
		want bool
	}{
		{"a plot", plot, true},
		{"this package's encoder's", testPNG(t, 60, 40), true},
		{"16 bits", encodedAs(t, "PNG", gray16(20, 10)), true},
		{"grey, 16 bits", pngOf(t, 3, 4, 16, 0, 0, gray), true},
		{"a row too few", pngOf(t, 3, 4, 8, 6, 0, rgba[13:]), false},
		{"a row too many", pngOf(t, 3, 3, 8, 6, 0, rgba), false},
		{"rows without filters", pngOf(t, 3, 4, 8, 6, 0, rgba[4:]), false},
		{"an unknown filter", pngOf(t, 3, 4, 8, 6, 0, append([]byte{9}, rgba[1:]...)), false},
		{"an unknown kind", pngOf(t, 3, 4, 8, 5, 0, rgba), false},
		{"interlaced", pngOf(t, 3, 4, 8, 6, 1, rgba), false},
		{"one colour transparent", pngOf(t, 3, 4, 8, 6, 0, rgba, "tRNS"), false},
		{"a chunk that must be understood", pngOf(t, 3, 4, 8, 6, 0, rgba, "NEWS"), false},
		{"few colours", encodedAs(t, "PNG", image.NewPaletted(image.Rect(0, 0, 9, 9), palette.WebSafe)), false},
		{"no pixels", pngOf(t, 0, 4, 8, 6, 0, make([]byte, 4)), false},
		{"a wrong sum", append(append(bytes.Clone(plot[:40]), plot[40]^1), plot[41:]...), false},
		{"its data cut", append(bytes.Clone(plot[:len(plot)-30]), plot[len(plot)-12:]...), false},
		{"nothing", nil, false},
	} {
		if got := wholePNG(c.in); got != c.want {
			t.Errorf("%s: %t", c.name, got)
		}
		if _, err := png.Decode(bytes.NewReader(c.in)); c.want && err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// FuzzWholePNG: what is taken for whole can be decoded.
func FuzzWholePNG(f *testing.F) {
	f.Add(uint32(3), uint32(4), byte(8), byte(6), byte(0), make([]byte, 4*13))
	f.Add(uint32(3), uint32(4), byte(16), byte(0), byte(0), make([]byte, 4*7))
	f.Add(uint32(3), uint32(4), byte(1), byte(3), byte(1), make([]byte, 4))
	f.Fuzz(func(t *testing.T, w, h uint32, depth, kind, interlaced byte, rows []byte) {
		if b := pngOf(t, w, h, depth, kind, interlaced, rows); wholePNG(b) {
			if _, err := png.Decode(bytes.NewReader(b)); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// BenchmarkFitPlot is of a picture that is sent as it is.
func BenchmarkFitPlot(b *testing.B) {
	img := image.NewNRGBA(image.Rect(0, 0, 1000, 700))
	for x := range 1000 {
		img.Set(x, (x*x/7)%700, color.NRGBA{200, 30, 30, 255})
	}
	data := encodedAs(b, "PNG", img)
	b.ReportAllocs()
	for b.Loop() {
		if f, err := fitImage(data, imageBytes, nil); err != nil || f.changed {
			b.Fatal(err)
		}
	}
}
