//go:build interop

package interop_test

import (
	"os"
	"strings"
	"testing"

	"github.com/go-negotiate/negotiate/interop"
)

func TestSamba(t *testing.T) {
	leavesNothing(t)
	samba := interop.NewSamba(t, interop.SambaOptions{Accounts: []interop.SambaAccount{
		{Name: "alice", Password: "Alice.password1", Groups: 20},
		{Name: "bob", Password: "Bobs.password1"},
		{Name: "svc-web", Password: "Service.password1", SPNs: []string{"HTTP/web.ad.test"}},
	}})
	ccache := samba.Kinit(t, "alice", "Alice.password1")
	many := fileSize(t, ccache)
	keytab := samba.Keytab(t, "HTTP/web.ad.test")
	got := interop.Python(t, samba.Env(ccache), pythonContext, "HTTP@web.ad.test", keytab)
	if want := "alice@AD.TEST\n"; got != want {
		t.Errorf("MIT's library accepts a ticket of Samba as %q, want %q", got, want)
	}
	// A client forwards the PAC, which lists the groups, without reading it.
	if none := fileSize(t, samba.Kinit(t, "bob", "Bobs.password1")); many < none+20*8 {
		t.Errorf("the tickets of alice have %d octets and those of bob %d, want 20 groups more", many, none)
	}
}

func fileSize(t *testing.T, ccache string) int64 {
	t.Helper()
	info, err := os.Stat(strings.TrimPrefix(ccache, "FILE:"))
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}
