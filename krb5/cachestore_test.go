package krb5

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/go-negotiate/negotiate/internal/ccache"
	"github.com/go-negotiate/negotiate/internal/principal"
)

// flaky is a cache that cannot be asked now and then.
type flaky struct {
	ccache.Store
	err error
}

func (f *flaky) Version(ctx context.Context) (ccache.Version, error) {
	if f.err != nil {
		return ccache.Version{}, f.err
	}
	return f.Store.Version(ctx)
}

func (f *flaky) Read(ctx context.Context) (*ccache.Cache, ccache.Version, error) {
	if f.err != nil {
		return nil, ccache.Version{}, f.err
	}
	return f.Store.Read(ctx)
}

// A cache that could not be asked once is not another one afterwards.
func TestCacheCannotBeAskedOnce(t *testing.T) {
	store := &flaky{Store: new(ccache.Memory).Store("x")}
	p := testProvider(t)
	tgt := testTicket(t, principal.TGS("R", "R"), time.Hour)
	tgt.Raw = []byte("tgt")
	if err := store.Replace(t.Context(), &ccache.Cache{Principal: tgt.Client, Creds: []ccache.Credential{credentialOf(tgt)}}); err != nil {
		t.Fatal(err)
	}
	before, err := p.loginFromStore(t.Context(), store, store.String())
	if err != nil {
		t.Fatal(err)
	}
	for _, store.err = range []error{context.Canceled, errors.New("the daemon is silent")} {
		if _, err := p.loginFromStore(t.Context(), store, store.String()); !errors.Is(err, store.err) {
			t.Errorf("got %v, want %v", err, store.err)
		}
	}
	store.err = nil
	if after, err := p.loginFromStore(t.Context(), store, store.String()); after != before || err != nil {
		t.Errorf("the login is %p afterwards (%v), want %p, which has its tickets", after, err, before)
	}
}
