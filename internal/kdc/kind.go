package kdc

import (
	"fmt"

	"github.com/go-negotiate/negotiate/internal/krbmsg"
)

// Kind is what a request is for.
type Kind uint8

// The kinds of request.
const (
	KindAS         Kind = iota // AS-REQ, without pre-authentication or with it
	KindService                // TGS-REQ for a service ticket
	KindRenew                  // to renew a ticket
	KindForward                // for a forwarded ticket-granting ticket
	KindReferral               // for, or answered with, a ticket for another realm
	KindS4U2Self               // for a ticket of a user to the service that asks
	KindS4U2Proxy              // for a ticket of a user to another service
	KindUserToUser             // for a ticket under a session key
	kinds
)

var kindNames = [kinds]string{"AS", "TGS", "TGS renew", "TGS forward", "TGS referral", "S4U2Self", "S4U2Proxy", "TGS user-to-user"}

// String names the kind, such as "TGS renew".
func (k Kind) String() string {
	if k < kinds {
		return kindNames[k]
	}
	return fmt.Sprintf("Kind(%d)", uint8(k))
}

// classify tells what a request is for, from what it says itself.
func (q *request) classify() Kind {
	if q.msg.Type == krbmsg.TypeASReq {
		return KindAS
	}
	_, forUser := krbmsg.FindPAData(q.msg.PAData, krbmsg.PAForUser)
	_, x509User := krbmsg.FindPAData(q.msg.PAData, krbmsg.PAS4UX509User)
	server := q.msg.Body.Server
	switch {
	case q.has(krbmsg.OptRenew):
		return KindRenew
	case q.has(krbmsg.OptCNameInAddlTkt):
		return KindS4U2Proxy
	case forUser || x509User:
		return KindS4U2Self
	case q.has(krbmsg.OptEncTktInSKey):
		return KindUserToUser
	case server.IsTGS() && server.Components[1] != q.realm.o.Realm:
		return KindReferral
	case q.has(krbmsg.OptForwarded):
		return KindForward
	}
	return KindService
}
