package krb5

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/go-negotiate/negotiate/gss"
	"github.com/go-negotiate/negotiate/internal/krbmsg"
)

// failure makes an error of an operation of this mechanism.
func failure(major gss.Major, op, format string, args ...any) *gss.Error {
	err := fmt.Errorf(format, args...)
	return &gss.Error{Major: major, Minor: minorOf(err), Mech: gss.MechKRB5, Op: op, Err: err}
}

// noCred is for everything that kinit, or a keytab, would cure.
func noCred(format string, args ...any) *gss.Error {
	return failure(gss.ErrNoCred, "acquire", format, args...)
}

func defective(op, format string, args ...any) *gss.Error {
	return failure(gss.ErrDefectiveToken, op, format, args...)
}

// minorOf is the code of the KRB-ERROR in err's tree; zero if there is none.
func minorOf(err error) uint32 {
	if code, ok := errors.AsType[krbmsg.ErrorCode](err); ok {
		return uint32(code)
	}
	return 0
}

func isContextError(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

// clocks is what to do about KRB_AP_ERR_SKEW.
func clocks(err error, now time.Time) string {
	hint := "; set this machine's clock, which says " + now.UTC().Format(time.RFC3339)
	if e, ok := errors.AsType[*krbmsg.KRBError](err); ok && !e.ServerTime.IsZero() {
		hint += " where the KDC's says " + e.ServerTime.Format(time.RFC3339)
	}
	return hint
}
