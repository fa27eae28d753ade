package krb5

import (
	"context"
	"errors"
	"io/fs"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-negotiate/negotiate/internal/ccache"
	"github.com/go-negotiate/negotiate/internal/principal"
)

// writing is a store that somebody writes to: what it has changes at times since
// the start.
type writing struct {
	ccache.Store
	start  time.Time
	states []content
}

// content is what a store has from a time on; nil: nothing.
type content struct {
	from  time.Duration
	cache *ccache.Cache
}

func (w *writing) Read(context.Context) (*ccache.Cache, ccache.Version, error) {
	var now *ccache.Cache
	for _, s := range w.states {
		if time.Since(w.start) >= s.from {
			now = s.cache
		}
	}
	if now == nil {
		return nil, ccache.Version{}, fs.ErrNotExist
	}
	return now, ccache.Version{}, nil
}

// A cache that is empty, or gone, is waited for a moment, and not longer.
func TestSettle(t *testing.T) {
	empty := &ccache.Cache{Principal: principal.New("R", "alice")}
	full := empty.WithCreds(ccache.Credential{})
	for _, test := range []struct {
		name     string
		known    bool
		states   []content
		want     *ccache.Cache
		waits    bool
		patience time.Duration
	}{
		{"full", true, []content{{0, full}}, full, false, 0},
		{"filled", true, []content{{0, empty}, {100 * time.Millisecond, full}}, full, true, 300 * time.Millisecond},
		{"filled, and new", false, []content{{0, empty}, {100 * time.Millisecond, full}}, full, true, 300 * time.Millisecond},
		{"made anew", true, []content{{20 * time.Millisecond, full}}, full, true, 60 * time.Millisecond},
		{"made anew, then filled", true, []content{{20 * time.Millisecond, empty}, {100 * time.Millisecond, full}}, full, true, 300 * time.Millisecond},
		{"empty for good", true, []content{{0, empty}}, empty, true, 1100 * time.Millisecond},
		{"gone for good", true, nil, nil, true, 300 * time.Millisecond},
		{"never there", false, nil, nil, false, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				got, _, err := settle(t.Context(), &writing{start: start, states: test.states}, test.known, settleTime)
				if got != test.want || (err == nil) != (test.want != nil) {
					t.Errorf("got %v, %v; want %v", got, err, test.want)
				}
				if took := time.Since(start); took > test.patience || (took > 0) != test.waits {
					t.Errorf("it took %v", took)
				}
			})
		})
	}
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, _, err := settle(ctx, &writing{states: []content{{0, empty}}}, true, settleTime); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	})
}
