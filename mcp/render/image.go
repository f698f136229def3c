package render

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"
	"path/filepath"
	"slices"
	"sync"

	"golang.org/x/image/webp"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/jupyter"
)

const (
	// maxSide is the longest side of an image: models scale larger ones down
	// themselves, and more than 8000 px makes some refuse the conversation.
	maxSide = 1568
	// maxPixels refuses bombs by the size they declare; at four bytes each a
	// decoded image takes at most 200 MB.
	maxPixels = 50_000_000
	// maxEncoded bounds the bytes of an image that are read.
	maxEncoded = 64 << 20
	// minSide is where making an image smaller ends.
	minSide = 200
)

// The number of pixels from which on pictures are decoded two at a time, and one at
// a time: 4 MB and 16 MB each, and several calls can answer at once.
const (
	bigPicture  = 1_000_000
	hugePicture = 4_000_000
)

// Gate lets few big pictures through at a time: they are what an answer needs
// memory for. A nil gate lets all through. It is safe for concurrent use.
type Gate struct{ big, huge chan struct{} }

func NewGate() *Gate { return &Gate{make(chan struct{}, 2), make(chan struct{}, 1)} }

func (g *Gate) enter(pixels int64) (leave func()) {
	if g == nil || pixels < bigPicture {
		return func() {}
	}
	slots := g.big
	if pixels >= hugePicture {
		slots = g.huge
	}
	slots <- struct{}{}
	return func() { <-slots }
}

// picture is an image of an answer.
type picture struct {
	value    jupyter.Value
	declared string // MIME type the display gave it
	label    string // "Out[3]: "
	number   int
	owner    *piece // set when it is admitted

	caption string // the line before it
	data    []byte // what is sent, nil when it cannot be
	mime    string
}

// admit decides at its arrival which of a piece's pictures may be sent; the others
// are named in its text. Fitting waits until the end: most frames of an animation
// are replaced before.
func (r *renderer) admit(p *piece) {
	var kept []*picture
	for _, pic := range p.pictures {
		if pic.number == 0 {
			r.imagesSeen++
			pic.number = r.imagesSeen
		}
		if line := r.refused(pic); line != "" {
			if len(p.text) > 0 {
				p.text = append(p.text, '\n')
			}
			p.text = append(p.text, line...)
			continue
		}
		pic.owner = p
		kept = append(kept, pic)
		r.shown = append(r.shown, pic)
	}
	p.pictures = kept
}

// refused returns the line that stands for a picture that is not sent, or "".
func (r *renderer) refused(pic *picture) string {
	hash, err := hashValue(pic.value)
	if err == nil && r.last != nil && hash == r.lastHash {
		return fmt.Sprintf("%s[image %d: the same as the image before it, not sent again]", pic.label, pic.number)
	}
	r.last, r.lastHash = pic, hash
	if len(r.shown) < r.budget.ImageCount {
		return ""
	}
	why := fmt.Sprintf("not sent: an answer holds %d", r.budget.ImageCount)
	if r.budget.ImageCount == 0 {
		why = "not sent here"
	}
	return fmt.Sprintf("%s[image %d: %s, %s%s]", pic.label, pic.number, imageName(pic.value), why, r.original(pic))
}

func hashValue(v jupyter.Value) (sum [32]byte, err error) {
	if v.Path == "" {
		return sha256.Sum256(v.Inline), nil
	}
	file, err := v.Open()
	if err != nil {
		return sum, err
	}
	defer file.Close()
	h := sha256.New()
	_, err = io.Copy(h, io.LimitReader(file, maxEncoded))
	return [32]byte(h.Sum(nil)), err
}

// imageName is the size and type of an image that is not decoded.
func imageName(v jupyter.Value) string {
	b, err := v.Bytes(256 << 10)
	if err != nil {
		return ByteSize(v.Size)
	}
	kind := sniff(b)
	if c, err := decodeConfig(kind, b); err == nil {
		return fmt.Sprintf("%dx%d %s %s", c.Width, c.Height, kind, ByteSize(v.Size))
	}
	return ByteSize(v.Size)
}

// original names the file of the record a picture lies in. The first picture that
// is shown names the directory too, which is most of the path's length.
func (r *renderer) original(pic *picture) string {
	path := pic.value.Path
	switch {
	case path == "":
		return ""
	case len(r.shown) > 0 && r.shown[0] != pic && filepath.Dir(r.shown[0].value.Path) == filepath.Dir(path):
		return "; original: …/" + filepath.Base(path)
	}
	return "; original: " + path
}

// fitPictures fits the pictures that are left, two at a time, each into its share: a
// small one leaves what it does not need to the others. It returns the length of all
// in base64.
func (r *renderer) fitPictures() int {
	sizes := make([]int, len(r.shown))
	for i, pic := range r.shown {
		sizes[i] = int(min(pic.value.Size, int64(r.budget.ImageBytes)))
	}
	limit := min(r.budget.ImageBytes, fairShare(sizes, r.budget.TotalImageBytes))
	next := make(chan *picture, len(r.shown))
	for _, pic := range r.shown {
		next <- pic
	}
	close(next)
	var workers sync.WaitGroup
	for range min(2, len(r.shown)) {
		workers.Go(func() {
			for pic := range next {
				r.fit(pic, limit)
			}
		})
	}
	workers.Wait()
	encoded := 0
	for _, pic := range r.shown {
		encoded += (len(pic.data)+2)/3*4 + 200
	}
	return encoded
}

// fairShare returns the most an image may have so that all fit into total,
// small ones leaving what they do not need to the others.
func fairShare(sizes []int, total int) int {
	sorted := slices.Sorted(slices.Values(sizes))
	for i, n := range sorted {
		share := total / (len(sorted) - i)
		if n > share {
			return share
		}
		total -= n
	}
	return 1 << 62
}

func (r *renderer) countImages() int {
	n := 0
	for _, pic := range r.shown {
		if pic.data != nil {
			n++
		}
	}
	return n
}

// fit fits one picture and writes its caption.
func (r *renderer) fit(pic *picture, limit int) {
	pic.data, pic.mime = nil, ""
	b, err := pic.value.Bytes(maxEncoded + 1)
	var f fitted
	if err == nil {
		f, err = fitSafely(b, limit, r.options.Images)
	}
	if err != nil {
		pic.caption = fmt.Sprintf("%s[image %d: not shown, %s; %s%s]", pic.label, pic.number, oneLine(err.Error()), ByteSize(pic.value.Size), r.original(pic))
		return
	}
	pic.data, pic.mime = f.data, f.mime
	caption := fmt.Sprintf("%s[image %d: %dx%d %s %s", pic.label, pic.number, f.from.X, f.from.Y, f.kind, ByteSize(pic.value.Size))
	if f.frames > 1 {
		caption += fmt.Sprintf(", %d frames", f.frames)
		if f.still || f.changed {
			caption += ", the first one shown"
		}
	}
	if f.to != f.from {
		caption += fmt.Sprintf(", shown at %dx%d", f.to.X, f.to.Y)
	} else if f.changed {
		caption += ", shown re-encoded as " + sniff(f.data)
	}
	pic.caption = caption + r.original(pic) + "]"
}

// fitSafely is fitImage for a goroutine of its own, where a decoder that panics
// would end the server.
func fitSafely(b []byte, limit int, gate *Gate) (f fitted, err error) {
	defer func() {
		if e := recover(); e != nil {
			f, err = fitted{}, fmt.Errorf("it cannot be decoded (%v)", e)
		}
	}()
	return fitImage(b, limit, gate)
}

// fitted is an image a model can be sent.
type fitted struct {
	data     []byte
	mime     string
	kind     string // what it was: PNG, JPEG, GIF, WebP
	from, to image.Point
	frames   int
	still    bool // the first of the frames is all that data holds
	changed  bool
}

// fitImage returns b as it is when it is a valid image within the limits, its
// junk after the end cut off; else re-encoded, smaller when it must be. The
// error says in a few words what is wrong with the image. It waits at gate.
func fitImage(b []byte, limit int, gate *Gate) (fitted, error) {
	if len(b) > maxEncoded {
		return fitted{}, fmt.Errorf("larger than %d MB", maxEncoded>>20)
	}
	kind := sniff(b)
	stillFrames := 0
	if kind == "WebP" {
		if _, _, err := imageEnd(kind, b); err != nil {
			return fitted{}, err
		}
		b, stillFrames = simpleWebP(b)
	}
	config, err := decodeConfig(kind, b)
	if err != nil {
		return fitted{}, err
	}
	f := fitted{kind: kind, mime: "image/" + lower(kind), from: image.Pt(config.Width, config.Height), frames: 1}
	if f.from.X <= 0 || f.from.Y <= 0 {
		return fitted{}, fmt.Errorf("%s of %dx%d", kind, f.from.X, f.from.Y)
	}
	if int64(f.from.X)*int64(f.from.Y) > maxPixels/pixelCost(config.ColorModel, kind == "JPEG" && progressive(b)) {
		return fitted{}, fmt.Errorf("%dx%d %s is too large to decode", f.from.X, f.from.Y, kind)
	}
	end, frames, err := imageEnd(kind, b)
	if err != nil {
		return fitted{}, err
	}
	f.frames = max(frames, stillFrames)
	f.still = stillFrames > 1
	b = b[:end]
	defer gate.enter(int64(f.from.X) * int64(f.from.Y))()
	small := len(b) <= limit && max(f.from.X, f.from.Y) <= maxSide
	if small && kind == "PNG" && wholePNG(b) {
		f.data, f.to = b, f.from
		return f, nil
	}
	img, err := decode(kind, b)
	if err != nil {
		return fitted{}, fmt.Errorf("corrupt %s (%w)", kind, err)
	}
	if size := img.Bounds().Size(); size != f.from {
		f.from = size // a GIF's first frame may be smaller than its screen
	}
	if len(b) <= limit && max(f.from.X, f.from.Y) <= maxSide && config.ColorModel != color.CMYKModel {
		f.data, f.to = b, f.from
		return f, nil
	}
	f.changed = true
	f.data, f.to, err = shrink(img, limit, kind, len(b))
	f.mime = "image/" + lower(sniff(f.data))
	return f, err
}

// pixelCost is 2 for images whose pixels take eight bytes when decoded, 4 for a
// progressive JPEG: the decoder keeps all its coefficients, 15 bytes a pixel.
func pixelCost(m color.Model, progressive bool) int64 {
	if progressive {
		return 4
	}
	if m == color.RGBA64Model || m == color.NRGBA64Model {
		return 2
	}
	return 1
}

func lower(kind string) string { return string(bytes.ToLower([]byte(kind))) }

// sniff names an image's type by its first bytes, whatever it was called.
func sniff(b []byte) string {
	switch jupyter.PictureType("image/", b) {
	case "image/png":
		return "PNG"
	case "image/jpeg":
		return "JPEG"
	case "image/gif":
		return "GIF"
	case "image/webp":
		return "WebP"
	}
	return ""
}

func decodeConfig(kind string, b []byte) (c image.Config, err error) {
	from := bytes.NewReader(b)
	switch kind {
	case "PNG":
		c, err = png.DecodeConfig(from)
	case "JPEG":
		c, err = jpeg.DecodeConfig(from)
	case "GIF":
		c, err = gif.DecodeConfig(from)
	case "WebP":
		c, err = webp.DecodeConfig(from)
	default:
		return c, fmt.Errorf("no PNG, JPEG, GIF or WebP")
	}
	if err != nil {
		err = fmt.Errorf("corrupt %s (%w)", kind, err)
	}
	return c, err
}

func decode(kind string, b []byte) (image.Image, error) {
	from := bytes.NewReader(b)
	switch kind {
	case "PNG":
		return png.Decode(from)
	case "JPEG":
		return jpeg.Decode(from)
	case "GIF":
		return gif.Decode(from)
	}
	return webp.Decode(from)
}
