package render

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"hash/crc32"
	"image"
	"image/color/palette"
	"math"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/mcp-code-executor/mcp-code-executor/kernel/jupyter"
)

// rawPNG writes a PNG of any size and format without holding its pixels.
func rawPNG(t testing.TB, w, h int, depth, colorType, interlace byte, noisy *rand.Rand) []byte {
	t.Helper()
	var file bytes.Buffer
	chunk := func(name string, data []byte) {
		binary.Write(&file, binary.BigEndian, uint32(len(data)))
		from := file.Len()
		file.WriteString(name)
		file.Write(data)
		binary.Write(&file, binary.BigEndian, crc32.ChecksumIEEE(file.Bytes()[from:]))
	}
	file.WriteString("\x89PNG\r\n\x1a\n")
	header := binary.BigEndian.AppendUint32(nil, uint32(w))
	header = binary.BigEndian.AppendUint32(header, uint32(h))
	chunk("IHDR", append(header, depth, colorType, 0, 0, interlace))
	if colorType == 3 {
		chunk("PLTE", bytes.Repeat([]byte{10, 200, 90, 255, 255, 255}, 128))
	}
	bits := int(depth) * map[byte]int{0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colorType]
	var packed bytes.Buffer
	z, err := zlib.NewWriterLevel(&packed, zlib.BestSpeed)
	if err != nil {
		t.Fatal(err)
	}
	rows := func(w, h int) {
		if w == 0 || h == 0 {
			return
		}
		row := make([]byte, 1+(w*bits+7)/8)
		for i := range row[1:] {
			if noisy != nil || i%97 == 0 {
				row[1+i] = byte(i * 7)
			}
		}
		for range h {
			if noisy != nil {
				for i := 1; i < len(row); i += 1 + noisy.IntN(9) {
					row[i] = byte(noisy.Uint32())
				}
			}
			z.Write(row)
		}
	}
	if interlace == 0 {
		rows(w, h)
	} else {
		for _, p := range [7][4]int{{0, 0, 8, 8}, {4, 0, 8, 8}, {0, 4, 4, 8}, {2, 0, 4, 4}, {0, 2, 2, 4}, {1, 0, 2, 2}, {0, 1, 1, 2}} {
			rows((w-p[0]+p[2]-1)/p[2], (h-p[1]+p[3]-1)/p[3])
		}
	}
	z.Close()
	chunk("IDAT", packed.Bytes())
	chunk("IEND", nil)
	return file.Bytes()
}

// randomFigure is one picture of whatever kind, side up to 20,000.
func randomFigure(t testing.TB, r *rand.Rand) (kind, mime string, b []byte) {
	side := func() int { return int(math.Exp(r.Float64() * math.Log(20_000))) }
	w, h := side(), side()
	if r.IntN(8) == 0 {
		w, h = 20_000-r.IntN(2000), 20_000-r.IntN(2000)
	}
	if w*h > maxPixels { // refused by what it declares
		return "bomb", "image/png", declares(t, uint32(w), uint32(h))
	}
	if area := 2_000_000; w*h > area && r.IntN(16) > 0 { // few large ones do: they take long
		h = max(1, area/w)
	}
	var noisy *rand.Rand
	if w*h < 1_000_000 && r.IntN(6) == 0 { // slow to encode
		noisy = r
	}
	mime = "image/png"
	switch kind = []string{"rgba", "rgb", "16 bits", "palette", "gray", "interlaced", "corrupt", "truncated", "jpeg", "gif", "lying"}[r.IntN(11)]; kind {
	case "rgba":
		b = rawPNG(t, w, h, 8, 6, 0, noisy)
	case "rgb":
		b = rawPNG(t, w, h, 8, 2, 0, noisy)
	case "16 bits":
		b = rawPNG(t, w, h, 16, []byte{0, 2, 6}[r.IntN(3)], 0, noisy)
	case "palette":
		b = rawPNG(t, w, h, []byte{1, 2, 4, 8}[r.IntN(4)], 3, 0, noisy)
	case "gray":
		b = rawPNG(t, w, h, 8, []byte{0, 4}[r.IntN(2)], 0, noisy)
	case "interlaced":
		b = rawPNG(t, w, h, 8, 6, 1, noisy)
	case "corrupt":
		b = rawPNG(t, w, h, 8, 2, 0, noisy)
		for range 1 + r.IntN(20) {
			b[r.IntN(len(b))] ^= byte(1 + r.IntN(255))
		}
	case "truncated":
		b = rawPNG(t, w, h, 8, 0, 0, noisy)
		b = b[:r.IntN(len(b))]
	case "jpeg":
		mime = "image/jpeg"
		b = encodedAs(t, "JPEG", image.NewGray(image.Rect(0, 0, min(w, 6000), min(h, 4000))))
	case "gif":
		mime = "image/gif"
		b = encodedAs(t, "GIF", image.NewPaletted(image.Rect(0, 0, min(w, 5000), min(h, 4000)), palette.WebSafe))
	case "lying":
		b = encodedAs(t, "JPEG", noise(1+w%400, 1+h%400)) // called a PNG
	}
	return kind, mime, b
}

// TestRandomFigures: whatever code displays, the answer is within its limits and
// what is sent can be decoded.
func TestRandomFigures(t *testing.T) {
	t.Parallel()
	const figures = 60 // more than enough for each kind; under -race 200 take a minute
	r := rand.New(rand.NewPCG(6, 2026))
	var peak atomic.Uint64
	runtime.GC()
	done := make(chan struct{})
	defer close(done)
	go func() {
		var m runtime.MemStats
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-tick.C:
				runtime.ReadMemStats(&m)
				peak.Store(max(peak.Load(), m.HeapAlloc))
			}
		}
	}()
	kinds, sent, gate := map[string]int{}, 0, NewGate()
	for n := 0; n < figures; {
		var outputs []jupyter.Output
		for range 1 + r.IntN(7) {
			kind, mime, b := randomFigure(t, r)
			kinds[kind]++
			n++
			outputs = append(outputs, jupyter.Output{Type: jupyter.OutputDisplayData, Data: map[string]jupyter.Value{mime: jupyter.InlineValue(b)}})
		}
		budget := testBudget(characters, false)
		rendered := Outputs(sequence(outputs...), budget, Options{Images: gate})
		total := 0
		for _, block := range rendered.Blocks {
			if block.Image == nil {
				if n := utf8.RuneCountInString(block.Text); n > budget.Characters {
					t.Errorf("%d characters", n)
				}
				continue
			}
			sent++
			total += len(block.Image)
			img, err := decode(sniff(block.Image), block.Image)
			if err != nil || block.MIME != "image/"+lower(sniff(block.Image)) {
				t.Fatalf("%s: %v", block.MIME, err)
			}
			if size := img.Bounds().Size(); max(size.X, size.Y) > maxSide || len(block.Image) > imageBytes {
				t.Errorf("%v, %d bytes", size, len(block.Image))
			}
		}
		if told := strings.Count(written(rendered), "[image "); rendered.Images > imageCount || total > totalImageBytes || told != len(outputs) {
			t.Errorf("%d images of %d bytes, %d told of, %d shown by the code", rendered.Images, total, told, len(outputs))
		}
	}
	t.Logf("%v; %d sent; heap peak %d MB (with the pictures themselves and what is not collected yet)", kinds, sent, peak.Load()>>20)
	if limit := uint64(1 << 30); peak.Load() > limit {
		t.Errorf("heap peak %d MB", peak.Load()>>20)
	}
}
