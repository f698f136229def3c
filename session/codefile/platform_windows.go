package codefile

import (
	"io/fs"
	"os"

	"golang.org/x/sys/windows"
)

// nonblock is not needed: a directory on Windows holds no FIFOs.
const nonblock = 0

// links is the number of names the file has.
func links(f *os.File, _ fs.FileInfo) uint64 {
	var info windows.ByHandleFileInformation
	if err := windows.GetFileInformationByHandle(windows.Handle(f.Fd()), &info); err != nil {
		return 1
	}
	return uint64(info.NumberOfLinks)
}

// syncDir does nothing: Windows cannot sync a directory.
func syncDir(*os.File) error { return nil }

// freeBytes is what the user can still write below dir.
func freeBytes(dir string) (uint64, bool) {
	path, err := windows.UTF16PtrFromString(dir)
	if err != nil {
		return 0, false
	}
	var free uint64
	if err := windows.GetDiskFreeSpaceEx(path, &free, nil, nil); err != nil {
		return 0, false
	}
	return free, true
}
