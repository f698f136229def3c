package packaging

import (
	"strconv"
	"strings"
)

// CompareReleases compares the leading numbers of two versions; "6.17.0rc1"
// counts as 6.17.0.
func CompareReleases(a, b string) int {
	as, bs := ReleaseNumbers(a), ReleaseNumbers(b)
	for i := range max(len(as), len(bs)) {
		var x, y int
		if i < len(as) {
			x = as[i]
		}
		if i < len(bs) {
			y = bs[i]
		}
		if x != y {
			return x - y
		}
	}
	return 0
}

func ReleaseNumbers(version string) []int {
	var result []int
	for part := range strings.SplitSeq(version, ".") {
		digits := part[:len(part)-len(strings.TrimLeft(part, "0123456789"))]
		n, err := strconv.Atoi(digits)
		if err != nil {
			break
		}
		result = append(result, n)
		if digits != part {
			break
		}
	}
	return result
}

// ShortVersion is "3.11.7" of "3.11.7.final.0".
func ShortVersion(version string) string {
	parts := strings.SplitN(version, ".", 4)
	return strings.Join(parts[:min(len(parts), 3)], ".")
}

// MinorVersion is "3.11" of "3.11.7".
func MinorVersion(version string) string {
	parts := strings.SplitN(version, ".", 3)
	return strings.Join(parts[:min(len(parts), 2)], ".")
}
