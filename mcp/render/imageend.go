package render

import (
	"encoding/binary"
	"fmt"
)

// imageEnd returns where the image in b ends and how many frames it has. A
// decoder does not look that far: a truncated file would be sent broken, and
// junk after the end be taken for part of it.
func imageEnd(kind string, b []byte) (end, frames int, err error) {
	frames = 1
	switch kind {
	case "PNG":
		end = pngEnd(b)
	case "JPEG":
		end = jpegEnd(b)
	case "GIF":
		end, frames = gifEnd(b)
	case "WebP":
		end = int(min(int64(binary.LittleEndian.Uint32(b[4:]))+8, 1<<40))
		if end > len(b) {
			end = 0
		}
	}
	if end == 0 {
		return 0, 0, fmt.Errorf("truncated %s", kind)
	}
	return end, frames, nil
}

// pngEnd walks the chunks up to IEND (PNG specification, 5.3).
func pngEnd(b []byte) int {
	at := int64(8)
	for at+12 <= int64(len(b)) {
		length := int64(binary.BigEndian.Uint32(b[at:]))
		name := string(b[at+4 : at+8])
		at += 12 + length
		if name == "IEND" && at <= int64(len(b)) {
			return int(at)
		}
	}
	return 0
}

// jpegEnd walks the segments and the coded data after each SOS up to EOI
// (ITU T.81, B.1). A thumbnail's own EOI lies inside a segment.
func jpegEnd(b []byte) int {
	at := 2
	for at+1 < len(b) {
		if b[at] != 0xff {
			at++ // coded data
			continue
		}
		switch m := b[at+1]; {
		case m == 0xd9:
			return at + 2
		case m == 0 || m == 1 || m >= 0xd0 && m <= 0xd8:
			at += 2
		case m == 0xff:
			at++
		default:
			if at+4 > len(b) {
				return 0
			}
			at += 2 + int(binary.BigEndian.Uint16(b[at+2:]))
		}
	}
	return 0
}

// progressive tells a JPEG whose frame header is SOF2 (ITU T.81, table B.1).
func progressive(b []byte) bool {
	for at := 2; at+4 <= len(b) && b[at] == 0xff; {
		switch m := b[at+1]; {
		case m == 0xc2:
			return true
		case m == 0xda:
			return false
		case m == 0xff:
			at++
		case m == 1 || m >= 0xd0 && m <= 0xd8:
			at += 2
		default:
			at += 2 + int(binary.BigEndian.Uint16(b[at+2:]))
		}
	}
	return false
}

// gifEnd walks the blocks up to the trailer (GIF89a, 17-27).
func gifEnd(b []byte) (end, frames int) {
	if len(b) < 13 {
		return 0, 0
	}
	at := 13
	if b[10]&0x80 != 0 {
		at += 3 << (b[10]&7 + 1)
	}
	for at < len(b) {
		switch b[at] {
		case 0x3b:
			return at + 1, frames
		case 0x21:
			at += 2
		case 0x2c:
			if at+10 > len(b) {
				return 0, 0
			}
			packed := b[at+9]
			at += 11
			if packed&0x80 != 0 {
				at += 3 << (packed&7 + 1)
			}
			frames++
		default:
			return 0, 0
		}
		for at < len(b) && b[at] != 0 { // sub-blocks
			at += 1 + int(b[at])
		}
		at++
	}
	return 0, 0
}
