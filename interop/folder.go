//go:build interop

package interop

import (
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// folder is where a peer keeps everything. testing's TempDir does not do: the
// users that servers drop to cannot enter it, and it ends with one test.
type folder string

// newFolder makes a folder that every user may enter.
func newFolder(peer string) (folder, error) {
	dir, err := os.MkdirTemp("", "interop-"+peer+"-")
	if err != nil {
		return "", fmt.Errorf("interop: no folder for %s: %w", peer, err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		return "", fmt.Errorf("interop: no folder for %s: %w", peer, err)
	}
	return folder(dir), nil
}

func (f folder) path(elem ...string) string {
	return filepath.Join(append([]string{string(f)}, elem...)...)
}

// write puts a file there that every user may read.
func (f folder) write(name, content string) error {
	if err := os.MkdirAll(filepath.Dir(f.path(name)), 0o755); err != nil {
		return fmt.Errorf("interop: %w", err)
	}
	if err := os.WriteFile(f.path(name), []byte(content), 0o644); err != nil {
		return fmt.Errorf("interop: %w", err)
	}
	return nil
}

// mkdir makes a folder that belongs to owner; nil is the test's own user.
func (f folder) mkdir(name string, owner *account) error {
	if err := os.MkdirAll(f.path(name), 0o755); err != nil {
		return fmt.Errorf("interop: %w", err)
	}
	return owner.own(f.path(name))
}

// remove deletes the folder, unless INTEROP_KEEP asks for it.
func (f folder) remove() {
	if os.Getenv("INTEROP_KEEP") != "" {
		fmt.Fprintf(os.Stderr, "interop: kept %s\n", f)
		return
	}
	_ = os.RemoveAll(string(f))
}

// account is whom a server drops to. Nil is the test's own user.
type account struct{ uid, gid uint32 }

// dropTo returns the account of that name if the test runs as root, which
// servers refuse to be; else nil, since only root can change users.
func dropTo(name string) (*account, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	u, err := user.Lookup(name)
	if err != nil {
		return nil, fmt.Errorf("interop: %w: Debian's package base-passwd makes it", err)
	}
	uid, errUID := strconv.ParseUint(u.Uid, 10, 32)
	gid, errGID := strconv.ParseUint(u.Gid, 10, 32)
	if errUID != nil || errGID != nil {
		return nil, fmt.Errorf("interop: user %s has the odd ids %s and %s", name, u.Uid, u.Gid)
	}
	return &account{uint32(uid), uint32(gid)}, nil
}

// own makes a the owner of a file or folder.
func (a *account) own(path string) error {
	if a == nil {
		return nil
	}
	if err := os.Chown(path, int(a.uid), int(a.gid)); err != nil {
		return fmt.Errorf("interop: %w", err)
	}
	return nil
}

func (a *account) credential() *syscall.Credential {
	if a == nil {
		return nil
	}
	return &syscall.Credential{Uid: a.uid, Gid: a.gid}
}

// copyFile copies a small file and gives it to owner, for it alone to read.
func copyFile(dst, src string, owner *account) error {
	content, err := os.ReadFile(src)
	if err != nil {
		return fmt.Errorf("interop: %w", err)
	}
	if err := os.WriteFile(dst, content, 0o600); err != nil {
		return fmt.Errorf("interop: %w", err)
	}
	return owner.own(dst)
}

// tailSize is how much of a log a message shows.
const tailSize = 8 << 10

// tail returns the end of a log, for a message.
func tail(path string) string { return tailFrom(path, 0) }

// tailFrom is tail without what stood there before offset.
func tailFrom(path string, offset int64) string {
	content, err := os.ReadFile(path)
	if err != nil {
		return fmt.Sprintf("(%v)", err)
	}
	content = content[min(offset, int64(len(content))):]
	if cut := len(content) - tailSize; cut > 0 {
		content = content[cut:]
	}
	return strings.TrimSpace(string(content))
}

// fileSize is 0 for a file that is not there yet.
func fileSize(path string) int64 {
	info, err := os.Stat(path)
	if err != nil {
		return 0
	}
	return info.Size()
}

// logsOnFailure shows what the peer logs from now on, if the test fails.
func logsOnFailure(tb testing.TB, logs ...string) {
	tb.Helper()
	from := make([]int64, len(logs))
	for i, log := range logs {
		from[i] = fileSize(log)
	}
	tb.Cleanup(func() {
		if !tb.Failed() {
			return
		}
		for i, log := range logs {
			if text := tailFrom(log, from[i]); text != "" {
				tb.Logf("%s:\n%s", log, text)
			}
		}
	})
}
