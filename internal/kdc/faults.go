package kdc

import (
	"crypto/rand"
	"time"

	"github.com/go-negotiate/negotiate/internal/krbmsg"
)

// FaultKind is a way to fail.
type FaultKind uint8

// The ways to fail.
const (
	FaultNone      FaultKind = iota
	FaultSilent              // requests are received and not answered
	FaultSlow                // answers come after Delay
	FaultHeld                // answers come once Release is closed
	FaultRefuse              // nobody listens
	FaultGarbage             // answers are random octets
	FaultTruncated           // answers lack their second half
	FaultError               // answers are a KRB-ERROR with Code
	FaultRealm               // answers tell that the client is of Realm
	FaultSkew                // the KDC's clock is ahead by Delay
)

// Fault is a way to fail and how often. The zero value does not fail.
type Fault struct {
	Kind    FaultKind
	Delay   time.Duration
	Release <-chan struct{}
	Code    krbmsg.ErrorCode
	Realm   string
	// Times is how many requests are hit before the KDC works again; 0 is all.
	// It does not apply to FaultRefuse.
	Times int
}

// garbageSize is the length in octets of a garbage answer.
const garbageSize = 100

// before applies a fault to a request that has not been answered. done tells
// that reply, which may be nil, is all there is.
func (f *Fault) before(q *request, now time.Time, stop <-chan struct{}) (reply []byte, done bool) {
	switch f.Kind {
	case FaultSilent:
		return nil, true
	case FaultSlow:
		timer := time.NewTimer(f.Delay)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-stop:
			return nil, true
		}
	case FaultHeld:
		select {
		case <-f.Release:
		case <-stop:
			return nil, true
		}
	case FaultGarbage:
		reply = make([]byte, garbageSize)
		rand.Read(reply)
		reply[0] = 0 // the tag of no message
		return reply, true
	case FaultError:
		return q.refuseAt(now, &krbmsg.KRBError{Code: f.Code}), true
	case FaultRealm:
		client := q.msg.Body.Client
		client.Realm = f.Realm
		return q.refuseAt(now, &krbmsg.KRBError{Code: krbmsg.ErrWrongRealm, Client: client}), true
	}
	return nil, false
}

// refuseAt makes a KRB-ERROR without looking at the request.
func (q *request) refuseAt(now time.Time, e *krbmsg.KRBError) []byte {
	q.now, q.client = now, q.msg.Body.Client
	return q.failure(e)
}
