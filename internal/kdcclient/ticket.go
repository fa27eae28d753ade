package kdcclient

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/go-negotiate/negotiate/internal/etype"
	"github.com/go-negotiate/negotiate/internal/krbmsg"
	"github.com/go-negotiate/negotiate/internal/principal"
)

// Ticket is a ticket together with what its holder needs in order to use it.
// It is not changed once made.
type Ticket struct {
	Client, Server principal.Name
	Raw            []byte
	Key            *etype.Key
	Flags          uint32
	AuthTime       time.Time
	StartTime      time.Time // zero: AuthTime
	EndTime        time.Time
	RenewTill      time.Time // zero: not renewable
	Addresses      []krbmsg.TypedData
}

// ValidAt reports whether the ticket can be used at the given time, allowing
// the start to be as far ahead as clocks may differ.
func (t *Ticket) ValidAt(now time.Time, skew time.Duration) bool {
	return now.Before(t.EndTime) && (t.StartTime.IsZero() || !now.Add(skew).Before(t.StartTime)) && t.Flags&krbmsg.FlagInvalid == 0
}

// ErrBadReply is what errors wrap for replies that are no answer to the
// question: forged, of another exchange, or of a broken KDC.
var ErrBadReply = errors.New("the KDC's reply does not fit the request")

func badReply(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrBadReply, fmt.Sprintf(format, args...))
}

// newNonce returns a nonce of 31 bits, since some KDCs take it for signed.
func newNonce() uint32 {
	var b [4]byte
	rand.Read(b[:])
	return binary.BigEndian.Uint32(b[:]) & 0x7fffffff
}

// newTicket makes the ticket of a decrypted and checked reply.
func newTicket(rep *krbmsg.KDCRep, part *krbmsg.EncKDCRepPart) (*Ticket, error) {
	key, err := etype.NewKey(etype.ID(part.Key.Type), part.Key.Value)
	if err != nil {
		return nil, badReply("its session key: %v", err)
	}
	return &Ticket{
		Client:    rep.Client,
		Server:    part.Server,
		Raw:       rep.Ticket.Raw,
		Key:       key,
		Flags:     part.Flags,
		AuthTime:  part.AuthTime,
		StartTime: part.StartTime,
		EndTime:   part.EndTime,
		RenewTill: part.RenewTill,
		Addresses: part.Addresses,
	}, nil
}

// parseReply tells a reply of the wanted type from a KRB-ERROR, which it
// returns as an error of type *krbmsg.KRBError.
func parseReply(typ int, b []byte) (krbmsg.KDCRep, error) {
	if krbmsg.IsKRBError(b) {
		e, err := krbmsg.ParseKRBError(b)
		if err != nil {
			return krbmsg.KDCRep{}, badReply("%v", err)
		}
		return krbmsg.KDCRep{}, e
	}
	rep, err := krbmsg.ParseKDCRep(typ, b)
	if err != nil {
		return krbmsg.KDCRep{}, badReply("%v", err)
	}
	return rep, nil
}
