//go:build unix && !linux

package ccache

import "syscall"

const setLock = syscall.F_SETLK
