package krb5_test

import (
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/go-negotiate/negotiate/gss"
	"github.com/go-negotiate/negotiate/internal/keytab"
	"github.com/go-negotiate/negotiate/krb5"
	"github.com/go-negotiate/negotiate/krbtest"
)

// withEntries writes a keytab.
func withEntries(t *testing.T, entries []keytab.Entry) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "keytab")
	if err := keytab.WriteFile(path, &keytab.Keytab{Entries: entries}); err != nil {
		t.Fatal(err)
	}
	return path
}

// A keytab has keys of several versions and types: a ticket is opened with that
// which it was made with, also where the file has 8 bits of a version.
func TestKeyVersions(t *testing.T) {
	kdc := realm(t)
	for range 252 {
		kdc.Rekey(service, "")
	}
	caches := []string{kdc.CCache("alice", krbtest.WithTicket(service))}
	for range 7 {
		kdc.Rekey(service, "")
		caches = append(caches, kdc.CCache("alice", krbtest.WithTicket(service)))
	}
	all := keysIn(t, kdc.Keytab(service))
	if oldest, newest := all[len(all)-1].KVNO, all[0].KVNO; oldest != 253 || newest != 260 {
		t.Fatalf("the keytab has versions %d to %d, want 253 to 260", oldest, newest)
	}
	short := make([]keytab.Entry, len(all))
	for i, e := range all {
		short[i] = e
		short[i].KVNO &= 0xff
	}
	for name, entries := range map[string][]keytab.Entry{"32 bits": all, "8 bits": short} {
		p := provider(t, kdc, func(o *krb5.Options) { o.Keytab = withEntries(t, entries) })
		for i, cache := range caches {
			token, _ := firstToken(t, provider(t, kdc, func(o *krb5.Options) { o.CCache = cache }), gss.InitiateOptions{})
			if _, _, err := accept(t, p, gss.AcceptOptions{}, token); err != nil {
				t.Errorf("%s: ticket %d: %v", name, i, err)
			}
		}
	}
	// With the newest key only, the others are told to be old.
	var newest []keytab.Entry
	for _, e := range all {
		if e.KVNO == all[0].KVNO {
			newest = append(newest, e)
		}
	}
	p := provider(t, kdc, func(o *krb5.Options) { o.Keytab = withEntries(t, newest) })
	token, _ := firstToken(t, provider(t, kdc, func(o *krb5.Options) { o.CCache = caches[1] }), gss.InitiateOptions{})
	_, _, err := accept(t, p, gss.AcceptOptions{}, token)
	wantError(t, err, []error{gss.ErrFailure}, "key version", "rekeyed")
}

// A client logs in with the newest version of its keys, of whichever type, also
// where the version has wrapped around at 8 bits, or an old key of another type is
// left.
func TestLoginWithTheNewestKey(t *testing.T) {
	kdc := realm(t)
	for range 258 {
		kdc.Rekey("alice", "")
	}
	all := keysIn(t, kdc.Keytab("alice"))
	newest := all[0].KVNO
	now := time.Now().Truncate(time.Second)
	slices.Reverse(all) // as ktadd has them
	var wrapped, leftover []keytab.Entry
	for _, e := range all {
		e.Timestamp = now.Add(time.Duration(e.KVNO) * time.Second)
		if newest-e.KVNO < 10 {
			short := e
			short.KVNO &= 0xff
			wrapped = append(wrapped, short)
		}
		switch {
		case e.KVNO == newest && e.KeyType == 17, e.KVNO == newest-1 && e.KeyType != 17:
			leftover = append(leftover, e)
		}
	}
	for name, entries := range map[string][]keytab.Entry{"all": all, "wrapped": wrapped, "leftover": leftover} {
		path := withEntries(t, entries)
		p := provider(t, kdc)
		c, err := p.FromKeytab("alice", path)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := initiate(t.Context(), t, p, gss.InitiateOptions{Credential: c}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
