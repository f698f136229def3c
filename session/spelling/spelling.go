// Package spelling says how far apart two names are, for "did you mean". It knows
// no names, and must not decide what is near enough.
package spelling

// maxLength and maxGap bound the work: what is longer, or far by length alone, is
// not computed.
const (
	maxLength = 4096
	maxGap    = 60
)

// Distance is the Levenshtein distance of two strings in bytes: adjacent bytes
// swapped count as two. Strings too long, or too unlike in length, to be misspellings
// of each other are as far apart as both are long.
func Distance(a, b string) int {
	if gap := len(a) - len(b); max(len(a), len(b)) > maxLength || gap > maxGap || gap < -maxGap {
		return len(a) + len(b)
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
