package negotiate

import (
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/go-negotiate/negotiate/gss"
)

// ownProvider is the default provider, made at the first use. The zero value is
// ready.
type ownProvider struct {
	made atomic.Pointer[gss.Provider]
	mu   sync.Mutex // held to make it
}

// get returns it. What could not be made is tried again at the next use.
func (o *ownProvider) get(logger *slog.Logger) (gss.Provider, error) {
	if p := o.made.Load(); p != nil {
		return *p, nil
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if p := o.made.Load(); p != nil {
		return *p, nil
	}
	p, err := defaultProvider(logger)
	if err != nil {
		return nil, err
	}
	o.made.Store(&p)
	return p, nil
}
