package render

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
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

// wholePNG reports whether every decoder can read b, which ends with its IEND, found out
// without the pixels: all sums are right, and the data is as long as the header says.
// It knows what plots are, 8 or 16 bits of grey or colour; of all else it says no.
func wholePNG(b []byte) bool {
	const ihdr = 8 + 12 + 13 // the signature and the first chunk
	var data []io.Reader
	before := ""
	for at := 8; at+12 <= len(b); {
		length := int(binary.BigEndian.Uint32(b[at:]))
		if length > len(b)-at-12 {
			return false
		}
		name, body := string(b[at+4:at+8]), b[at+8:at+8+length]
		if crc32.ChecksumIEEE(b[at+4:at+8+length]) != binary.BigEndian.Uint32(b[at+8+length:]) {
			return false
		}
		first, more := at == 8, len(data) > 0
		at += 12 + length
		switch {
		case first != (name == "IHDR") || first && at != ihdr:
			return false
		case name == "IDAT":
			if more && before != "IDAT" {
				return false
			}
			data = append(data, bytes.NewReader(body))
		case name == "IEND":
			return length == 0 && at == len(b) && wholeRows(b[16:ihdr-4], io.MultiReader(data...))
		case name == "tRNS" || name[0]&0x20 == 0 && !first: // it changes what the data means
			return false
		}
		before = name
	}
	return false
}

// wholeRows reads the rows of an image (PNG specification, 11.2.2 and 9): each has its
// filter first.
func wholeRows(header []byte, data io.Reader) bool {
	width, height, depth, kind := binary.BigEndian.Uint32(header), binary.BigEndian.Uint32(header[4:]), int(header[8]), header[9]
	samples := map[byte]int{0: 1, 2: 3, 4: 2, 6: 4}[kind]
	if samples == 0 || depth != 8 && depth != 16 || header[10] != 0 || header[11] != 0 || header[12] != 0 || width == 0 || height == 0 || width > maxSide {
		return false
	}
	rows, err := zlib.NewReader(data)
	if err != nil {
		return false
	}
	row := make([]byte, 1+int(width)*samples*depth/8)
	for range height {
		if _, err := io.ReadFull(rows, row); err != nil || row[0] > 4 {
			return false
		}
	}
	n, err := rows.Read(row[:1]) // its own sum is looked at here
	return n == 0 && err == io.EOF
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
