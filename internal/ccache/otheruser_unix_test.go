//go:build unix

package ccache

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/go-negotiate/negotiate/internal/filestamp"
)

// ownedBy is a file's description with another owner.
type ownedBy struct {
	fs.FileInfo
	uid uint32
}

func (o ownedBy) Sys() any { return &syscall.Stat_t{Uid: o.uid} }

func TestOurs(t *testing.T) {
	info, err := os.Stat(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	me := uint32(os.Geteuid())
	for uid, want := range map[uint32]bool{me: true, 0: true, me + 4711: false} {
		if got := filestamp.Ours(ownedBy{info, uid}); got != want {
			t.Errorf("a file of user %d is ours: %v", uid, got)
		}
	}
	if !filestamp.Ours(info) {
		t.Error("our own file is not ours")
	}
}

// In /tmp anybody may be there first, with a cache in which he would see our
// tickets, or with a link to a file of ours. Only the superuser can give files
// away, so that nobody else can run this test in full.
func TestOtherUsersFile(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("files cannot be given to another user")
	}
	dir := t.TempDir()
	path, link, target := filepath.Join(dir, "cc"), filepath.Join(dir, "link"), filepath.Join(dir, "target")
	if err := WriteFile(path, &Cache{Principal: alice}); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(target, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(target, link); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{path, link} {
		if err := os.Lchown(name, 4711, 4711); err != nil {
			t.Fatal(err)
		}
	}
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := (File{Path: path}).Add(t.Context(), ticketFor(0)); !errors.Is(err, ErrOtherUser) {
		t.Errorf("a ticket for another user's file: %v", err)
	}
	if after, err := os.ReadFile(path); err != nil || string(after) != string(before) {
		t.Errorf("another user's file got %d octets, %v", len(after)-len(before), err)
	}
	if err := (File{Path: link}).Replace(t.Context(), &Cache{Principal: alice}); !errors.Is(err, ErrOtherUser) {
		t.Errorf("a cache through another user's link: %v", err)
	}
	if after, err := os.ReadFile(target); err != nil || string(after) != "precious" {
		t.Errorf("our file is %q now, %v", after, err)
	}
}
