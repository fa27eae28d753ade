package krb5_test

import (
	"errors"
	"os"
	"testing"
	"time"

	"github.com/go-negotiate/negotiate/gss"
	"github.com/go-negotiate/negotiate/krb5"
)

func read(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestCredentialsInMemory takes the files away once they are read.
func TestCredentialsInMemory(t *testing.T) {
	kdc := realm(t)
	cache, keys := kdc.CCache("alice"), kdc.Keytab(service)
	cacheBytes, keyBytes := read(t, cache), read(t, keys)
	for _, file := range []string{cache, keys} {
		if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
	}
	p := provider(t, kdc, countable(t, kdc), func(o *krb5.Options) { o.CCache, o.Keytab = cache, keys })
	client, err := p.FromCCacheBytes(cacheBytes)
	if err != nil {
		t.Fatal(err)
	}
	server, err := p.AcceptorFromKeytabBytes(keyBytes)
	if err != nil {
		t.Fatal(err)
	}
	clear(cacheBytes)
	clear(keyBytes)
	if got, want := client.Name(), gss.User("alice@KRB.TEST"); got != want || client.Expires().IsZero() {
		t.Errorf("the client's credential is of %v until %v; want %v, and an end", got, client.Expires(), want)
	}
	for range 2 {
		_, acceptor := establish(t, p, p, gss.InitiateOptions{Credential: client, Flags: gss.FlagMutual}, gss.AcceptOptions{Credential: server})
		if got := acceptor.Info().Initiator; got != gss.User("alice@KRB.TEST") {
			t.Errorf("the acceptor sees %v, want alice", got)
		}
	}
	if n := kdc.Requests().TGS; n != 1 {
		t.Errorf("%d tickets fetched, want 1", n)
	}
}

func TestCredentialsInMemoryRefuse(t *testing.T) {
	kdc := realm(t)
	p := provider(t, kdc)
	for name, b := range map[string][]byte{"nothing": nil, "garbage": []byte("\x05\x04garbage")} {
		if _, err := p.FromCCacheBytes(b); !errors.Is(err, gss.ErrNoCred) {
			t.Errorf("a cache of %s: %v, want ErrNoCred", name, err)
		}
		if _, err := p.AcceptorFromKeytabBytes(b); !errors.Is(err, gss.ErrNoCred) {
			t.Errorf("a keytab of %s: %v, want ErrNoCred", name, err)
		}
	}
	if _, err := p.AcceptorFromKeytabBytes([]byte{5, 2}); !errors.Is(err, gss.ErrNoCred) {
		t.Errorf("a keytab without keys: %v, want ErrNoCred", err)
	}
}

func TestClockSkew(t *testing.T) {
	kdc := realm(t)
	ahead := func(d time.Duration) func(*krb5.Options) {
		return func(o *krb5.Options) { o.Now = func() time.Time { return time.Now().Add(d) } }
	}
	client := provider(t, kdc)
	for _, tt := range []struct {
		skew, off time.Duration
		fits      bool
	}{
		{0, 4 * time.Minute, true},
		{0, 6 * time.Minute, false},
		{time.Minute, 30 * time.Second, true},
		{time.Minute, 2 * time.Minute, false},
		{time.Hour, 50 * time.Minute, true},
	} {
		server := provider(t, kdc, ahead(tt.off), func(o *krb5.Options) { o.ClockSkew = tt.skew })
		token, _ := firstToken(t, client, gss.InitiateOptions{Flags: gss.FlagMutual})
		if _, _, err := accept(t, server, gss.AcceptOptions{}, token); (err == nil) != tt.fits {
			t.Errorf("ClockSkew %v, clocks %v apart: %v", tt.skew, tt.off, err)
		}
	}
}
