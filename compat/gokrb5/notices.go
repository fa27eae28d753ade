package spnego

import (
	"context"

	"github.com/go-negotiate/negotiate/compat/internal/deprecated"
)

// notices are those of functions, which have no value that could hold one. Each
// is logged once in a process, to slog.Default(). This is the package's only
// variable that changes, and nothing depends on it but what is logged.
var notices functionNotices

type functionNotices struct {
	setSPNEGOHeader     deprecated.Notice
	unmarshalNegToken   deprecated.Notice
	newNegTokenInitKRB5 deprecated.Notice
	newKRB5TokenAPREQ   deprecated.Notice
}

// logFunction logs the notice of a function.
func logFunction(ctx context.Context, n *deprecated.Notice, name, instead string) {
	n.Log(ctx, nil, "compat/gokrb5 "+name, instead+", see the documentation of compat/gokrb5")
}
