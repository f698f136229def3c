package render

// Budget bounds an answer.
type Budget struct {
	// Characters bounds the text of the whole answer, in runes.
	Characters int
	// ErrorCharacters bounds it when the answer is an error result that
	// carries no image; zero means Characters.
	ErrorCharacters int
	// ImageCharacters bounds it when the answer carries an image; zero means
	// Characters.
	ImageCharacters int
	// IsError says that the run failed, so that ErrorCharacters applies.
	IsError bool

	ImageCount      int // images in one answer
	ImageBytes      int // one image, before base64
	TotalImageBytes int // all images of an answer, before base64
	LineBytes       int // the answer as one line of JSON

	// UTF8Bytes and JSONCharacters bound the text that Outputs makes in other units,
	// for clients that count so: its bytes, and its characters as a JSON string.
	// Zero does not. What the caller adds is the caller's to take off.
	UTF8Bytes, JSONCharacters int
}

// chars is the number of characters for an answer with or without images.
func (b Budget) chars(images int) int {
	if b.IsError && images == 0 && b.ErrorCharacters > 0 {
		return b.ErrorCharacters
	}
	if images > 0 && b.ImageCharacters > 0 {
		return b.ImageCharacters
	}
	return b.Characters
}

// tooLong reports whether lines are too long in the other units: what they have,
// and what they may have. An answer's images have imageBytes in JSON.
func (b Budget) tooLong(lines []shownLine, imageBytes int) (have, room int, yes bool) {
	for _, unit := range []struct{ limit, have, room int }{
		{b.LineBytes, encodedSize(lines), b.LineBytes - imageBytes - lineOverhead},
		{b.UTF8Bytes, byteSize(lines), b.UTF8Bytes},
		{b.JSONCharacters, jsonCharacters(lines), b.JSONCharacters},
	} {
		if unit.limit != 0 && unit.have > unit.room {
			return unit.have, max(unit.room, 1), true
		}
	}
	return 0, 0, false
}

// byteSize is the length of the lines in UTF-8.
func byteSize(lines []shownLine) int {
	n := 0
	for i := range lines {
		n += len(lines[i].text) + 1
	}
	return n
}

// jsonCharacters is the number of characters of the lines in a JSON string, as
// JavaScript writes it.
func jsonCharacters(lines []shownLine) int {
	n := 0
	for i := range lines {
		n += JSONCharacters(lines[i].text) + 2
	}
	return n
}

// JSONCharacters is the number of characters of text in a JSON string, as
// JavaScript writes it, without the quotes.
func JSONCharacters(text string) int {
	n := 0
	for _, c := range text {
		switch {
		case c == '"' || c == '\\' || c == '\n' || c == '\t':
			n += 2
		case c < ' ':
			n += 6
		case c > 0xffff:
			n += 2
		default:
			n++
		}
	}
	return n
}
