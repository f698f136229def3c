package render

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/jpeg"
	"image/png"
	"math"
)

// lowQuality is the JPEG quality below which text in plots is hard to read.
const lowQuality = 68

// shrink encodes img, whose file of the kind has size bytes, within limit bytes
// and maxSide pixels: as PNG if that is small enough, else as JPEG in falling
// quality, else as the largest JPEG that fits.
func shrink(img image.Image, limit int, kind string, size int) ([]byte, image.Point, error) {
	flat := scaled(img, maxSide)
	if likelyPNG(img, flat, limit, kind, size) {
		if b, err := encodePNG(flat); err == nil && len(b) <= limit {
			return b, flat.Bounds().Size(), nil
		}
	}
	if sampled(flat) < limit*5/4 { // else even the lowest quality will not do
		for _, quality := range []int{90, 80, lowQuality} {
			b, err := encodeJPEG(flat, quality)
			if err != nil {
				return nil, image.Point{}, err
			}
			if len(b) <= limit {
				return b, flat.Bounds().Size(), nil
			}
		}
	}
	return shrinkJPEG(flat, limit)
}

// likelyPNG tells whether a PNG of flat may fit, by the bytes that a pixel of the
// original takes: encoding one that does not takes longer than all else.
func likelyPNG(img image.Image, flat *image.RGBA, limit int, kind string, size int) bool {
	if kind == "JPEG" {
		return false
	}
	from := img.Bounds()
	share := float64(flat.Rect.Dx()*flat.Rect.Dy()) / float64(from.Dx()*from.Dy())
	return float64(size)*share < 2*float64(limit)
}

// sampled estimates the bytes of the JPEG of lowest quality from some of its
// tiles.
func sampled(img *image.RGBA) int {
	const tile, across = 64, 6
	w, h := img.Rect.Dx(), img.Rect.Dy()
	if w < 2*across*tile || h < 2*across*tile {
		return 0
	}
	sample := image.NewRGBA(image.Rect(0, 0, across*tile, across*tile))
	for i := range across * across {
		x, y := i%across, i/across
		from := image.Pt(x*(w-tile)/(across-1), y*(h-tile)/(across-1))
		draw.Draw(sample, image.Rect(x*tile, y*tile, (x+1)*tile, (y+1)*tile), img, from, draw.Src)
	}
	b, err := encodeJPEG(sample, lowQuality)
	if err != nil {
		return 0
	}
	return int(float64(len(b)) * float64(w*h) / float64(sample.Rect.Dx()*sample.Rect.Dy()))
}

// shrinkJPEG makes flat as much smaller as it must be. A JPEG grows nearly with its
// pixels, so the second or third try is close to the limit.
func shrinkJPEG(flat *image.RGBA, limit int) (best []byte, size image.Point, err error) {
	longest := max(flat.Rect.Dx(), flat.Rect.Dy())
	side := longest * 9 / 10
	if n := sampled(flat); n > limit {
		side = int(float64(longest) * math.Sqrt(float64(limit)/float64(n)))
	}
	top := longest // no larger one fits
	for range 12 {
		side = min(max(side, minSide), top-1)
		if side < minSide {
			break
		}
		small := scaled(flat, side)
		b, err := encodeJPEG(small, lowQuality)
		if err != nil {
			return nil, size, err
		}
		if len(b) <= limit {
			best, size = b, small.Bounds().Size()
		} else {
			top = side
		}
		next := int(float64(side) * math.Sqrt(float64(limit)/float64(len(b))) * 0.98)
		if best != nil && (len(b) > limit || next < side*21/20 || next >= top) {
			break // near enough
		}
		side = next
	}
	if best == nil {
		return nil, size, fmt.Errorf("not below %s at any readable size", ByteSize(int64(limit)))
	}
	return best, size, nil
}

func encodeJPEG(img image.Image, quality int) ([]byte, error) {
	var b bytes.Buffer
	if err := jpeg.Encode(&b, img, &jpeg.Options{Quality: quality}); err != nil {
		return nil, fmt.Errorf("encoding it: %w", err)
	}
	return b.Bytes(), nil
}

// encodePNG uses a palette when the image has few colours: the same pixels
// in a third of the bytes.
func encodePNG(img *image.RGBA) ([]byte, error) {
	var b bytes.Buffer
	var source image.Image = img
	if small := withPalette(img); small != nil {
		source = small
	}
	err := png.Encode(&b, source)
	return b.Bytes(), err
}

// withPalette returns img with a palette, or nil when it has over 256 colours.
func withPalette(img *image.RGBA) *image.Paletted {
	index := map[[4]byte]uint8{}
	out := image.NewPaletted(img.Rect, nil)
	var last [4]byte
	var lastIndex uint8
	for i := 0; i+4 <= len(img.Pix); i += 4 {
		c := [4]byte(img.Pix[i : i+4])
		if c != last || i == 0 {
			n, known := index[c]
			if !known {
				if len(index) == 256 {
					return nil
				}
				n = uint8(len(index))
				index[c] = n
				out.Palette = append(out.Palette, color.RGBA{c[0], c[1], c[2], c[3]})
			}
			last, lastIndex = c, n
		}
		out.Pix[i/4] = lastIndex
	}
	return out
}

// scaled returns img on white, its longest side at most side.
func scaled(img image.Image, side int) *image.RGBA {
	from := img.Bounds()
	w, h := from.Dx(), from.Dy()
	if longest := max(w, h); longest > side {
		return resample(img, max(1, w*side/longest), max(1, h*side/longest))
	}
	out := image.NewRGBA(image.Rect(0, 0, w, h))
	draw.Draw(out, out.Rect, image.White, image.Point{}, draw.Src)
	draw.Draw(out, out.Rect, img, from.Min, draw.Over)
	return out
}
