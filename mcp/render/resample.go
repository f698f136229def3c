package render

import (
	"image"
	"image/draw"
	"math"
)

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
			resampleRow(row, pix, across)
			rows[next] = row
		}
		clear(sum)
		for k, weight := range t.weights {
			for i, v := range rows[t.first+k] {
				sum[i] += weight * v
			}
		}
		line := out.Pix[out.PixOffset(0, y):]
		for x := range w {
			line[4*x], line[4*x+1], line[4*x+2], line[4*x+3] = level(sum[3*x]), level(sum[3*x+1]), level(sum[3*x+2]), 255
		}
	}
	return out
}

func resampleRow(row []float32, pix []byte, across []taps) {
	for x, t := range across {
		var r, g, b float32
		p := pix[4*t.first:]
		for k, weight := range t.weights {
			r += weight * float32(p[4*k])
			g += weight * float32(p[4*k+1])
			b += weight * float32(p[4*k+2])
		}
		row[3*x], row[3*x+1], row[3*x+2] = r, g, b
	}
}

func level(v float32) uint8 { return uint8(min(max(v+0.5, 0), 255)) }

// taps are the source pixels that make one pixel, and their weights.
type taps struct {
	first   int
	weights []float32
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
		all[i] = taps{first, weights}
	}
	return all
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
