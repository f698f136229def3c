package limits

import "strings"

// Refusal says which limit made Python raise an exception, if one did: the system
// tells a program no more than that it cannot have what it asks for. Memory of a
// graphics card is none of ours.
func (l Limits) Refusal(exception, message string) (Hit, bool) {
	memory := strings.HasSuffix(exception, "MemoryError") && exception != "OutOfMemoryError" ||
		containsAny(message, "Cannot allocate memory", "can't allocate memory", "can't start new thread", "std::bad_alloc", "MemoryError", "memory allocation of ")
	switch {
	case l.Memory > 0 && memory && !containsAny(message, "CUDA", "GPU", "cuda"):
		return Hit{Kind: Memory, Bound: l.Memory, Refused: true}, true
	case l.FileSize > 0 && containsAny(message, "[Errno 27]", "File too large", "SIGXFSZ"):
		return Hit{Kind: FileSize, Bound: l.FileSize, Refused: true}, true
	case l.Processes > 0 && exception == "BlockingIOError" && containsAny(message, "Resource temporarily unavailable"):
		return Hit{Kind: Processes, Bound: int64(l.Processes), Refused: true}, true // cgroup's pids.max
	}
	return Hit{}, false
}

func containsAny(text string, parts ...string) bool {
	for _, part := range parts {
		if strings.Contains(text, part) {
			return true
		}
	}
	return false
}
