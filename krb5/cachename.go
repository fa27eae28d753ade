package krb5

import (
	"context"
	"errors"
	"strings"

	"github.com/go-negotiate/negotiate/internal/ccache"
	"github.com/go-negotiate/negotiate/internal/ccache/kcm"
	"github.com/go-negotiate/negotiate/internal/ccache/keyring"
	"github.com/go-negotiate/negotiate/internal/principal"
)

// loginByName returns the login of a cache by its name. Of a collection it is the
// cache of want, or the primary if want is zero.
func (p *Provider) loginByName(ctx context.Context, label string, want principal.Name) (*login, error) {
	read := func(ctx context.Context) (*login, error) { return p.readByName(ctx, label, want) }
	if name, err := ccache.ParseName(label); err == nil && name.Type == ccache.TypeKCM {
		return p.polls.get(ctx, pollKey{label, want.String()}, p.now, read)
	}
	return read(ctx)
}

func (p *Provider) readByName(ctx context.Context, label string, want principal.Name) (*login, error) {
	store, err := p.storeByName(ctx, label, want)
	if err != nil {
		return nil, err
	}
	return p.loginFromStore(ctx, store, label)
}

func (p *Provider) storeByName(ctx context.Context, label string, want principal.Name) (ccache.Store, error) {
	store, collection, err := p.openCCache(label)
	if err != nil {
		return nil, noCred("%w", err)
	}
	if store != nil {
		return store, nil
	}
	if want.IsZero() {
		if store, err = collection.Primary(ctx); err != nil {
			return nil, inCollection(label, err)
		}
		return store, nil
	}
	store, err = ccache.Find(ctx, collection, want)
	if errors.Is(err, ccache.ErrNoCache) {
		return nil, noCred("the collection %s has no cache of %s: run kinit %s: %w", label, want, want, err)
	}
	if err != nil {
		return nil, inCollection(label, err)
	}
	return store, nil
}

func inCollection(label string, err error) error {
	if isContextError(err) {
		return err
	}
	return noCred("the collection %s: %w", label, err)
}

// openCCache returns the cache or the collection that has the name.
func (p *Provider) openCCache(label string) (ccache.Store, ccache.Collection, error) {
	if f := p.files.Get(label); f != nil {
		return f, nil, nil
	}
	name, err := ccache.ParseName(label)
	if err != nil {
		return nil, nil, err
	}
	switch name.Type {
	case ccache.TypeDir:
		if file, ok := strings.CutPrefix(name.Residual, ":"); ok {
			return ccache.DirFile(file), nil, nil
		}
		return nil, ccache.Dir{Path: name.Residual}, nil
	case ccache.TypeMemory:
		return p.memory.Store(name.Residual), nil, nil
	case ccache.TypeKCM:
		if name.Residual != "" {
			return p.kcm().Cache(name.Residual), nil, nil
		}
		return nil, p.kcm(), nil
	case ccache.TypeKeyring:
		return keyring.Open(name.Residual)
	}
	file := ccache.File{Path: name.Residual}
	f := &namedFile{file, file.String()}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.files.MakeRoom(maxFiles)
	p.files.Set(label, f)
	return f, nil, nil
}

// namedFile has its name ready, which is asked for with each token.
type namedFile struct {
	ccache.File
	name string
}

func (f *namedFile) String() string { return f.name }

// kcm is the daemon that krb5.conf names.
func (p *Provider) kcm() kcm.Daemon {
	socket, _ := p.conf.Profile().Value("libdefaults", "kcm_socket")
	return kcm.Daemon{Socket: socket}
}
