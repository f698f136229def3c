package limits

// Can reports whether a limit of this kind can be held on this system. A job object
// could, but nobody has run that.
func Can(Kind) bool { return false }
