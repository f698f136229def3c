package render

// Budget bounds an answer.
type Budget struct {
	// Characters bounds the text of the whole answer, in runes.
	Characters int
	// ErrorCharacters bounds it when the answer is an error result that
	// carries no image; zero means Characters.
	ErrorCharacters int
	// IsError says that the run failed, so that ErrorCharacters applies.
	IsError bool

	ImageCount      int // images in one answer
	ImageBytes      int // one image, before base64
	TotalImageBytes int // all images of an answer, before base64
	LineBytes       int // the answer as one line of JSON
}

// chars is the number of characters for an answer with or without images.
func (b Budget) chars(images int) int {
	if b.IsError && images == 0 && b.ErrorCharacters > 0 {
		return b.ErrorCharacters
	}
	return b.Characters
}
