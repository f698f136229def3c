package render

import (
	"encoding/binary"
	"slices"
)

// simpleWebP returns the first picture of an extended WebP file (animation,
// colour profile, metadata) as a plain one, which is all the decoder reads, and
// how many frames the file has. A plain file, or one it cannot make sense of, is
// returned as it is. (WebP container specification, "Extended File Format".)
func simpleWebP(b []byte) (plain []byte, frames int) {
	const alphaFlag, animationFlag, header = 0x10, 0x02, 12
	if len(b) < header {
		return b, 1
	}
	first, rest := riffChunk(b[header:])
	if len(first) < 18 || string(first[:4]) != "VP8X" || first[8]&^alphaFlag == 0 {
		return b, 1
	}
	size := slices.Clone(first[12:18])
	if first[8]&animationFlag == 0 {
		if image := webpImage(rest, size); image != nil {
			return image, 1
		}
		return b, 1
	}
	for {
		var chunk []byte
		if chunk, rest = riffChunk(rest); chunk == nil {
			break
		}
		// ANMF: x, y, width - 1, height - 1, duration: 3 bytes each, flags, chunks.
		if string(chunk[:4]) == "ANMF" && len(chunk) >= 8+16 {
			if frames++; frames == 1 {
				plain = webpImage(chunk[8+16:], chunk[8+6:8+12])
			}
		}
	}
	if plain == nil {
		return b, 1
	}
	return plain, frames
}

// riffChunk splits off the first chunk, its padding included; nil at the end.
func riffChunk(b []byte) (chunk, rest []byte) {
	if len(b) < 8 {
		return nil, nil
	}
	n := 8 + int64(binary.LittleEndian.Uint32(b[4:]))
	n += n & 1
	if n > int64(len(b)) {
		return nil, nil
	}
	return b[:n], b[n:]
}

// webpImage makes a file of the image chunks in b; size is VP8X's: width - 1 and
// height - 1, 3 bytes each.
func webpImage(b, size []byte) []byte {
	var alpha []byte
	for {
		var chunk []byte
		if chunk, b = riffChunk(b); chunk == nil {
			return nil
		}
		switch string(chunk[:4]) {
		case "ALPH":
			alpha = chunk
		case "VP8 ", "VP8L":
			file := []byte("RIFF\x00\x00\x00\x00WEBP")
			if alpha != nil && string(chunk[:4]) == "VP8 " {
				file = append(file, "VP8X\x0a\x00\x00\x00\x10\x00\x00\x00"...)
				file = append(append(file, size...), alpha...)
			}
			file = append(file, chunk...)
			binary.LittleEndian.PutUint32(file[4:], uint32(len(file)-8))
			return file
		}
	}
}
