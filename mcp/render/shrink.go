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
	whole := bandedSize(flat, max(flat.Rect.Dx(), flat.Rect.Dy()))
	if whole < limit*9/8 { // else even the lowest quality will not do
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
	return shrinkJPEG(flat, limit, whole)
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

// bandedSize estimates the bytes of flat as a JPEG of the lowest quality whose
// longest side is side, from three bands that are some sixth of it. A band is whole
// rows of a JPEG's blocks (16 lines): a part of one costs as much.
func bandedSize(flat *image.RGBA, side int) int {
	const bands, share, block = 3, 6, 16
	w, h := flat.Rect.Dx(), flat.Rect.Dy()
	longest := max(w, h)
	width, height := max(1, w*side/longest), max(1, h*side/longest)
	lines := (height/(bands*share)/block + 1) * block
	band := lines * longest / side
	if band*bands > h {
		lines, band = max(1, height/bands), h/bands
	}
	sum := 0
	for i := range bands {
		y := (2*i+1)*h/(2*bands) - band/2
		part := flat.SubImage(image.Rect(0, y, w, y+max(band, 1)))
		if side != longest {
			part = resample(part, width, min(lines, part.Bounds().Dy()))
		}
		b, err := encodeJPEG(part, lowQuality)
		if err != nil {
			return 0
		}
		sum += max(0, len(b)-jpegHeader)
	}
	return jpegHeader + int(float64(sum)*float64(height)/float64(bands*lines))
}

// jpegHeader is what a JPEG has before its data, in bytes.
const jpegHeader = 620

// shrinkJPEG makes flat, which would take some whole bytes, as much smaller as it must
// be, and no more: it looks for the side on bands of the picture first.
func shrinkJPEG(flat *image.RGBA, limit, whole int) ([]byte, image.Point, error) {
	longest := max(flat.Rect.Dx(), flat.Rect.Dy())
	side := fittingSide(flat, longest, whole, limit*96/100)
	for {
		small := scaled(flat, side)
		b, err := encodeJPEG(small, lowQuality)
		switch {
		case err != nil:
			return nil, image.Point{}, err
		case len(b) <= limit:
			return b, small.Bounds().Size(), nil
		case side <= minSide:
			return nil, image.Point{}, fmt.Errorf("not below %s at any readable size", ByteSize(int64(limit)))
		}
		side = max(minSide, min(side*95/100, int(float64(side)*math.Sqrt(float64(limit)/float64(len(b))))))
	}
}

// fittingSide estimates the side at which flat, of whole bytes at longest, takes limit
// bytes. How a JPEG's
// bytes grow with its side depends on the picture (noise is averaged out): the
// power is taken from the last two estimates.
func fittingSide(flat *image.RGBA, longest, whole, limit int) int {
	side, size := float64(longest), float64(whole)
	power := 2.0
	for range 3 {
		next := side * math.Pow(float64(limit)/max(size, 1), 1/power)
		next = min(max(next, minSide, side/4), float64(longest))
		if math.Abs(next/side-1) < 0.03 {
			return int(next)
		}
		n := float64(bandedSize(flat, int(next)))
		if p := math.Log(max(n, 1)/max(size, 1)) / math.Log(next/side); p > 1 && p < 8 {
			power = p
		}
		side, size = next, n
	}
	next := side * math.Pow(float64(limit)/max(size, 1), 1/power)
	return int(min(max(next, minSide), float64(longest)))
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

// scaled returns img on white, its longest side at most side. It may be img itself.
func scaled(img image.Image, side int) *image.RGBA {
	from := img.Bounds()
	w, h := from.Dx(), from.Dy()
	if longest := max(w, h); longest > side {
		return resample(img, max(1, w*side/longest), max(1, h*side/longest))
	}
	if flat, ok := img.(*image.RGBA); ok && from.Min == (image.Point{}) && flat.Opaque() {
		return flat
	}
	out := image.NewRGBA(image.Rect(0, 0, w, h))
	draw.Draw(out, out.Rect, image.White, image.Point{}, draw.Src)
	draw.Draw(out, out.Rect, img, from.Min, draw.Over)
	return out
}

// resample returns img on white at w×h pixels, with the Catmull-Rom kernel.
// It goes through img row by row: golang.org/x/image/draw needs 32 bytes for
// each pixel of (w × the source's height), 150 MB for a large plot.
func resample(img image.Image, w, h int) *image.RGBA {
	from := img.Bounds()
	across, down := kernelTaps(from.Dx(), w), kernelTaps(from.Dy(), h)
	out := image.NewRGBA(image.Rect(0, 0, w, h))
	source := image.NewRGBA(image.Rect(0, 0, from.Dx(), 1))
	opaque, _ := img.(*image.RGBA)
	if opaque != nil && !opaque.Opaque() {
		opaque = nil
	}
	packed := make([]int64, from.Dx())
	rows := map[int][]float32{} // source rows that are w wide already
	var free [][]float32
	next := 0
	sum := make([]float32, 3*w)
	for y, t := range down {
		for n, row := range rows {
			if n < t.first {
				free = append(free, row)
				delete(rows, n)
			}
		}
		for next = max(next, t.first); next < t.first+len(t.weights); next++ {
			pix := source.Pix
			if opaque != nil {
				pix = opaque.Pix[opaque.PixOffset(from.Min.X, from.Min.Y+next):]
			} else {
				draw.Draw(source, source.Rect, image.White, image.Point{}, draw.Src)
				draw.Draw(source, source.Rect, img, image.Pt(from.Min.X, from.Min.Y+next), draw.Over)
			}
			if len(free) == 0 {
				free = append(free, make([]float32, 3*w))
			}
			row := free[len(free)-1]
			free = free[:len(free)-1]
			pack(packed, pix)
			resampleRow(row, packed, across)
			rows[next] = row
		}
		clear(sum)
		for k := 0; k < len(t.weights); k += 4 { // four rows for each time that sum is read and written
			addRows(sum, rows, t.first+k, t.weights[k:min(k+4, len(t.weights))])
		}
		line, rest := out.Pix[out.PixOffset(0, y):][:4*w], sum
		for len(line) >= 4 && len(rest) >= 3 {
			line[0], line[1], line[2], line[3] = level(rest[0]), level(rest[1]), level(rest[2]), 255
			line, rest = line[4:], rest[3:]
		}
	}
	return out
}

// pack puts the three channels of each pixel into one number, so that one product
// weighs all: 21 bits each, of which a weighted sum needs 20 and its sign.
func pack(packed []int64, pix []byte) {
	for x := range packed {
		p := pix[4*x:][:3]
		packed[x] = int64(p[0]) | int64(p[1])<<channel | int64(p[2])<<(2*channel)
	}
}

const (
	channel = 21      // bits
	unit    = 1 << 11 // a weight of 1: 255 times it, and what the kernel overshoots, fits into a channel
)

func resampleRow(row []float32, packed []int64, across []taps) {
	for x, t := range across {
		var sum int64
		from := packed[t.first:][:len(t.fixed)]
		for k, weight := range t.fixed {
			sum += weight * from[k]
		}
		r := sum << (64 - channel) >> (64 - channel)
		sum = (sum - r) >> channel
		g := sum << (64 - channel) >> (64 - channel)
		b := (sum - g) >> channel
		to := row[3*x:][:3]
		to[0], to[1], to[2] = float32(r)/unit, float32(g)/unit, float32(b)/unit
	}
}

// addRows adds up to four rows to sum, each by its weight.
func addRows(sum []float32, rows map[int][]float32, first int, weights []float32) {
	if len(weights) < 4 {
		for k, weight := range weights {
			for i, v := range rows[first+k][:len(sum)] {
				sum[i] += weight * v
			}
		}
		return
	}
	a, b, c, d := rows[first][:len(sum)], rows[first+1][:len(sum)], rows[first+2][:len(sum)], rows[first+3][:len(sum)]
	wa, wb, wc, wd := weights[0], weights[1], weights[2], weights[3]
	for i := range sum {
		sum[i] += wa*a[i] + wb*b[i] + wc*c[i] + wd*d[i]
	}
}

func level(v float32) uint8 { return uint8(min(max(v+0.5, 0), 255)) }

// taps are the source pixels that make one pixel, and their weights.
type taps struct {
	first   int
	weights []float32
	fixed   []int64 // the same in parts of unit
}

// kernelTaps returns the taps for making from pixels to pixels, to <= from.
func kernelTaps(from, to int) []taps {
	scale := float64(from) / float64(to)
	all := make([]taps, to)
	for i := range all {
		center := (float64(i)+0.5)*scale - 0.5
		first := max(0, int(math.Ceil(center-2*scale)))
		last := min(from-1, int(math.Floor(center+2*scale)))
		weights := make([]float32, last-first+1)
		var sum float32
		for k := range weights {
			weights[k] = float32(catmullRom(math.Abs(float64(first+k)-center) / scale))
			sum += weights[k]
		}
		for k := range weights {
			weights[k] /= sum
		}
		all[i] = taps{first, weights, fixedWeights(weights)}
	}
	return all
}

// fixedWeights rounds weights that add up to 1; the heaviest takes what is left, so
// that a plain area keeps its colour.
func fixedWeights(weights []float32) []int64 {
	fixed := make([]int64, len(weights))
	left, heaviest := int64(unit), 0
	for k, weight := range weights {
		fixed[k] = int64(math.Round(float64(weight) * unit))
		left -= fixed[k]
		if weight > weights[heaviest] {
			heaviest = k
		}
	}
	fixed[heaviest] += left
	return fixed
}

func catmullRom(t float64) float64 {
	switch {
	case t < 1:
		return (1.5*t-2.5)*t*t + 1
	case t < 2:
		return ((-0.5*t+2.5)*t-4)*t + 2
	}
	return 0
}
