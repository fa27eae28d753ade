// Package deprecated says once that something old is in use.
package deprecated

import (
	"context"
	"log/slog"
	"sync"
)

// Notice is a hint that is logged at most once. It lives in the value that is
// deprecated, so that each such value in a program is found. The zero Notice has
// not been logged. It is safe for concurrent use.
type Notice struct{ once sync.Once }

// Log logs, the first time, that old is deprecated and what to write instead.
// A nil logger is slog.Default().
func (n *Notice) Log(ctx context.Context, l *slog.Logger, old, instead string) {
	n.once.Do(func() {
		if l == nil {
			l = slog.Default()
		}
		l.WarnContext(ctx, "deprecated", slog.String("logger", "negotiate"), slog.String("use_of", old), slog.String("instead", instead))
	})
}
