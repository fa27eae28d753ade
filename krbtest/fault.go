package krbtest

import (
	"time"

	"github.com/go-negotiate/negotiate/internal/kdc"
	"github.com/go-negotiate/negotiate/internal/krbmsg"
)

// Fault is a way in which a KDC fails; see [KDC.SetFault]. The zero Fault is
// none.
type Fault struct{ f kdc.Fault }

// SetFault makes the KDC fail from now on, or with the zero Fault work again.
func (k *KDC) SetFault(f Fault) {
	k.tb.Helper()
	k.check(k.server.SetFault(f.f))
}

// Silent lets the KDC receive requests and not answer, as behind a firewall.
func Silent() Fault { return Fault{kdc.Fault{Kind: kdc.FaultSilent}} }

// Slow delays each answer. It is real time that passes, whatever [WithClock]
// says; a test that need not wait uses [Held].
func Slow(d time.Duration) Fault { return Fault{kdc.Fault{Kind: kdc.FaultSlow, Delay: d}} }

// Held holds each answer back until release is closed.
func Held(release <-chan struct{}) Fault {
	return Fault{kdc.Fault{Kind: kdc.FaultHeld, Release: release}}
}

// Refuse closes the port, so that connections are refused. The KDC listens on
// the same port again when it is healed.
func Refuse() Fault { return Fault{kdc.Fault{Kind: kdc.FaultRefuse}} }

// Garbage answers with random octets.
func Garbage() Fault { return Fault{kdc.Fault{Kind: kdc.FaultGarbage}} }

// Truncated answers with the first half of the right answer. On TCP the length
// of the whole is announced.
func Truncated() Fault { return Fault{kdc.Fault{Kind: kdc.FaultTruncated}} }

// WrongRealm answers that the client belongs to another realm
// (KDC_ERR_WRONG_REALM).
func WrongRealm(realm string) Fault {
	return Fault{kdc.Fault{Kind: kdc.FaultRealm, Realm: realm}}
}

// SkewedClock lets the KDC's clock be ahead by d, or behind if d is negative.
func SkewedClock(d time.Duration) Fault { return Fault{kdc.Fault{Kind: kdc.FaultSkew, Delay: d}} }

// Fail answers with a KRB-ERROR of the given code (RFC 4120, section 7.5.9),
// such as 29 for "the KDC is not available".
func Fail(code int) Fault {
	return Fault{kdc.Fault{Kind: kdc.FaultError, Code: krbmsg.ErrorCode(code)}}
}

// FailTimes is [Fail] for the next n requests.
func FailTimes(n, code int) Fault { return Fail(code).Times(n) }

// Times bounds the fault to the next n requests; then the KDC works again. It
// makes no difference to [Refuse].
func (f Fault) Times(n int) Fault {
	f.f.Times = n
	return f
}
