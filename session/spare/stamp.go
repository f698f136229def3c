package spare

import (
	"os"
	"time"
)

// stamps are what files and directories were like when a spare's start had read them.
type stamps struct {
	files map[string]stamp
	path  string      // of the working directory
	dir   os.FileInfo // which it was
	young string      // what was changed while the start read it
}

type stamp struct {
	there    bool
	size     int64
	modified int64 // ns
	mode     os.FileMode
}

// granularity is how coarse the times of files can be.
const granularity = 2 * time.Second

// observe notes what the paths are like now. What has changed since the start began may
// have been read before.
func observe(paths []string, began time.Time) stamps {
	s := stamps{files: make(map[string]stamp, len(paths))}
	from, to := began.Add(-granularity).UnixNano(), time.Now().Add(granularity).UnixNano()
	for _, path := range paths {
		one := stampOf(path)
		s.files[path] = one
		if one.there && from < one.modified && one.modified < to { // not what an odd clock has dated into the future
			s.young = path
		}
	}
	return s
}

func stampOf(path string) stamp {
	info, err := os.Stat(path)
	if err != nil {
		return stamp{}
	}
	return stamp{true, info.Size(), info.ModTime().UnixNano(), info.Mode()}
}

// identify says which directory a path leads to.
func identify(path string) (os.FileInfo, error) { return os.Stat(path) }

// changed names a path that is not what it was, "" for none.
func (s *stamps) changed() string {
	if s.young != "" {
		return s.young
	}
	if now, err := identify(s.path); err != nil || !os.SameFile(now, s.dir) {
		return s.path
	}
	for path, before := range s.files {
		if stampOf(path) != before {
			return path
		}
	}
	return ""
}
