package render

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/jupyter"
)

// surface is a picture of w×h as matplotlib's imshow makes them: noise on top of a
// smooth surface, a white margin.
func surface(w, h int, grain float64) image.Image {
	r := rand.New(rand.NewPCG(1, 2))
	img := image.NewNRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			if x < w/10 || y < h/10 {
				img.SetNRGBA(x, y, color.NRGBA{255, 255, 255, 255})
				continue
			}
			v := 128 + 80*math.Sin(float64(x)/90)*math.Cos(float64(y)/70) + grain*(r.Float64()-0.5)
			c := uint8(min(max(v, 0), 255))
			img.SetNRGBA(x, y, color.NRGBA{c, uint8(r.IntN(1+int(grain))) ^ c/2, 255 - c, 255})
		}
	}
	return img
}

func encodedPNG(t testing.TB, img image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestShrinkUsesBudget: pictures that must be smaller take most of what they may.
func TestShrinkUsesBudget(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		grain float64
		limit int
	}{{8, 60_000}, {60, 120_000}, {255, 60_000}, {255, 400_000}} {
		b := encodedPNG(t, surface(1400, 1000, c.grain))
		f, err := fitImage(b, c.limit, nil)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("grain %v, %d bytes: %v, %d of %d", c.grain, len(b), f.to, len(f.data), c.limit)
		if len(f.data) > c.limit || f.to != f.from && len(f.data) < c.limit*7/10 {
			t.Errorf("grain %v: %v, %d bytes of %d", c.grain, f.to, len(f.data), c.limit)
		}
	}
}

// BenchmarkSixFigures is an answer with six figures of some 4 MB each, all of them
// sent: at most half a second on two cores.
func BenchmarkSixFigures(b *testing.B) {
	var outputs []jupyter.Output
	for i := range 6 {
		data := encodedPNG(b, surface(1400, 1000-i, 255))
		b.Logf("%d bytes", len(data))
		outputs = append(outputs, shows("image/png", string(data)))
	}
	budget := testBudget(characters, false)
	budget.ImageCount = len(outputs)
	for b.Loop() {
		r := Outputs(sequence(outputs...), budget, Options{Images: NewGate()})
		n := 0
		for _, block := range r.Blocks {
			n += len(block.Image)
		}
		b.ReportMetric(float64(n)/float64(max(r.Images, 1)), "bytes/image")
	}
}

// TestResampleChannels: three channels in one number do not touch each other, whatever
// the kernel overshoots, and a plain area keeps its colour.
func TestResampleChannels(t *testing.T) {
	t.Parallel()
	const w, h = 90, 70
	hard := image.NewRGBA(image.Rect(0, 0, w, h)) // black and white edges overshoot most
	turned := image.NewRGBA(hard.Rect)
	r := rand.New(rand.NewPCG(3, 4))
	for i := 0; i < len(hard.Pix); i += 4 {
		c := [3]uint8{uint8(255 * r.IntN(2)), uint8(255 * r.IntN(2)), uint8(r.IntN(256))}
		copy(hard.Pix[i:], []uint8{c[0], c[1], c[2], 255})
		copy(turned.Pix[i:], []uint8{c[2], c[0], c[1], 255})
	}
	for _, size := range []image.Point{{89, 70}, {60, 41}, {31, 70}, {9, 7}, {1, 1}} {
		one, other := resample(hard, size.X, size.Y), resample(turned, size.X, size.Y)
		for i := 0; i < len(one.Pix); i += 4 {
			a, b := one.Pix[i:i+4], other.Pix[i:i+4]
			if a[0] != b[1] || a[1] != b[2] || a[2] != b[0] || a[3] != 255 {
				t.Fatalf("%v: pixel %d: %v and, with its channels turned, %v", size, i/4, a, b)
			}
		}
	}
	for _, c := range []color.RGBA{{0, 0, 0, 255}, {255, 255, 255, 255}, {1, 254, 128, 255}} {
		plain := image.NewRGBA(hard.Rect)
		for i := 0; i < len(plain.Pix); i += 4 {
			copy(plain.Pix[i:], []uint8{c.R, c.G, c.B, c.A})
		}
		small := resample(plain, 37, 29)
		for i := 0; i < len(small.Pix); i += 4 {
			if got := small.RGBAAt(i/4%37, i/4/37); got != c {
				t.Fatalf("%v became %v", c, got)
			}
		}
	}
}
