package krb5_test

import (
	"errors"
	"os"
	"testing"
	"time"

	"github.com/go-negotiate/negotiate/gss"
	"github.com/go-negotiate/negotiate/krb5"
)

// establish has both sides exchange tokens with mutual authentication, and
// returns the context of the acceptor.
func establish(t *testing.T, initiator, acceptor *krb5.Provider, client, server gss.Credential) (gss.ContextInfo, error) {
	t.Helper()
	ic, err := initiator.Initiate(t.Context(), gss.InitiateOptions{Credential: client, Target: target, Flags: gss.FlagMutual})
	if err != nil {
		t.Fatal(err)
	}
	defer ic.Close()
	ac, err := acceptor.Accept(t.Context(), gss.AcceptOptions{Credential: server})
	if err != nil {
		t.Fatal(err)
	}
	defer ac.Close()
	token, _, err := ic.Step(t.Context(), nil)
	if err != nil {
		return gss.ContextInfo{}, err
	}
	reply, _, err := ac.Step(t.Context(), token)
	if err != nil {
		return gss.ContextInfo{}, err
	}
	if _, done, err := ic.Step(t.Context(), reply); err != nil || !done {
		t.Fatalf("the acceptor's proof: done %t, %v", done, err)
	}
	return ac.Info(), nil
}

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
	p := provider(t, kdc, func(o *krb5.Options) { o.CCache, o.Keytab = cache, keys })
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
		info, err := establish(t, p, p, client, server)
		if err != nil {
			t.Fatal(err)
		}
		if info.Initiator != gss.User("alice@KRB.TEST") {
			t.Errorf("the acceptor sees %v, want alice", info.Initiator)
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
		if _, err := establish(t, client, server, nil, nil); (err == nil) != tt.fits {
			t.Errorf("ClockSkew %v, clocks %v apart: %v", tt.skew, tt.off, err)
		}
	}
}
