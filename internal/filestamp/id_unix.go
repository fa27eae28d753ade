//go:build unix

package filestamp

import (
	"io/fs"
	"os"
	"syscall"
)

const hasModes = true

func fileID(info fs.FileInfo) (inode, device uint64) {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return uint64(st.Ino), uint64(st.Dev)
	}
	return 0, 0
}

// Ours reports whether a file belongs to this user or to the superuser, so that
// nobody else has put it there.
func Ours(info fs.FileInfo) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && (st.Uid == 0 || int(st.Uid) == os.Geteuid())
}
