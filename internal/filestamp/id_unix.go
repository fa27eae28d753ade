//go:build unix

package filestamp

import (
	"io/fs"
	"syscall"
)

const hasModes = true

func fileID(info fs.FileInfo) (inode, device uint64) {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return uint64(st.Ino), uint64(st.Dev)
	}
	return 0, 0
}
