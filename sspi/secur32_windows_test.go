package sspi

import (
	"errors"
	"slices"
	"testing"
	"unsafe"

	"github.com/go-negotiate/negotiate/gss"
)

// TestSystem is what every Windows has, and Wine.
func TestSystem(t *testing.T) {
	p, err := New(Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, mech := range []gss.OID{gss.MechSPNEGO, gss.MechKRB5, gss.MechNTLM} {
		if !slices.Contains(p.Mechanisms(), mech) {
			t.Errorf("%s is missing", mech.Describe())
		}
	}
	for range 20 {
		c, err := p.Acquire(t.Context(), gss.CredentialOptions{})
		if err != nil {
			t.Fatal(err)
		}
		sc, err := p.Accept(t.Context(), gss.AcceptOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := sc.Step(t.Context(), []byte("no token")); err == nil {
			t.Error("no token is accepted")
		} else if _, ok := errors.AsType[*gss.Error](err); !ok {
			t.Errorf("a %T: %v", err, err)
		}
		if err := errors.Join(sc.Close(), c.Close(), c.Close()); err != nil {
			t.Error(err)
		}
	}
}

// TestLayout checks the structures that Windows reads.
func TestLayout(t *testing.T) {
	if unsafe.Sizeof(uintptr(0)) != 8 {
		t.Skip("the numbers are those of 64 bits")
	}
	var ex winntIdentityEx
	for name, got := range map[string][2]uintptr{
		"SEC_WINNT_AUTH_IDENTITY_W":               {unsafe.Sizeof(winntIdentity{}), 48},
		"SEC_WINNT_AUTH_IDENTITY_EXW":             {unsafe.Sizeof(ex), 72},
		"SEC_WINNT_AUTH_IDENTITY_EXW.PackageList": {unsafe.Offsetof(ex.packageList), 56},
		"SEC_WINNT_AUTH_IDENTITY_EXW.Flags":       {unsafe.Offsetof(ex.flags), 52},
		"SecBuffer":                               {unsafe.Sizeof(secBuffer{}), 16},
		"SecBufferDesc":                           {unsafe.Sizeof(secBufferDesc{}), 16},
		"SecPkgInfoW":                             {unsafe.Sizeof(packageInfo{}), 32},
	} {
		if got[0] != got[1] {
			t.Errorf("%s: %d, want %d", name, got[0], got[1])
		}
	}
}

// TestIdentity reads back what AcquireCredentialsHandle is given.
func TestIdentity(t *testing.T) {
	id := &authIdentity{user: "alice", domain: "EXAMPLE", password: units("pw"), set: true, packageList: "!ntlm"}
	read := func(p *uint16, n uint32) string { return string(runes(unsafe.Slice(p, n))) }
	ex := (*winntIdentityEx)(id.pointer(false))
	if ex.version != 0x200 || ex.length != uint32(unsafe.Sizeof(*ex)) || read(ex.packageList, ex.packageListLength) != "!ntlm" {
		t.Errorf("got %+v", ex)
	}
	for _, plain := range []winntIdentity{ex.winntIdentity, *(*winntIdentity)(id.pointer(true))} {
		if read(plain.user, plain.userLength) != "alice" || read(plain.domain, plain.domainLength) != "EXAMPLE" ||
			read(plain.password, plain.passwordLength) != "pw" || plain.flags != 2 {
			t.Errorf("got %+v", plain)
		}
	}
	if unsafe.Pointer(ex.password) != unsafe.Pointer(&id.password[0]) {
		t.Error("the password was copied, so it would not be wiped")
	}
	session := &authIdentity{packageList: "!ntlm"}
	if ex := (*winntIdentityEx)(session.pointer(false)); ex.user != nil || ex.password != nil || ex.packageListLength != 5 {
		t.Errorf("the session: %+v", ex)
	}
	if session.pointer(true) != nil {
		t.Error("Wine is given a structure for the session")
	}
}

func runes(u []uint16) (r []rune) {
	for _, c := range u {
		r = append(r, rune(c))
	}
	return r
}
