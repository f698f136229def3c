package render

// testBudget bounds an answer as the server does where a client has no limits
// of its own.
func testBudget(n int, isError bool) Budget {
	return Budget{
		Characters:      n,
		ErrorCharacters: min(10_000, n),
		IsError:         isError,
		ImageCount:      imageCount,
		ImageBytes:      imageBytes,
		TotalImageBytes: totalImageBytes,
		LineBytes:       lineBytes,
	}
}

const (
	characters      = 30_000
	imageCount      = 5
	imageBytes      = 450_000
	totalImageBytes = 600_000
	lineBytes       = 900_000
)
