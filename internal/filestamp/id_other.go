//go:build !unix

package filestamp

import "io/fs"

const hasModes = false

func fileID(fs.FileInfo) (inode, device uint64) { return 0, 0 }
