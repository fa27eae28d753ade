package spnego

import (
	"context"
	"errors"
	"fmt"

	"github.com/jcmturner/gokrb5/v8/client"
	"github.com/jcmturner/gokrb5/v8/messages"
	gokrb5 "github.com/jcmturner/gokrb5/v8/spnego"
	"github.com/jcmturner/gokrb5/v8/types"
)

// The fields of HTTP and the text of a refusal.
//
// Deprecated: negotiate.Transport and negotiate.Handler know them.
const (
	HTTPHeaderAuthRequest          = gokrb5.HTTPHeaderAuthRequest
	HTTPHeaderAuthResponse         = gokrb5.HTTPHeaderAuthResponse
	HTTPHeaderAuthResponseValueKey = gokrb5.HTTPHeaderAuthResponseValueKey
	UnauthorizedMsg                = gokrb5.UnauthorizedMsg
)

// The kinds of krb5 token, in hexadecimal (RFC 4121, section 4.1).
//
// Deprecated: package krb5 knows them.
const (
	TOK_ID_KRB_AP_REQ = gokrb5.TOK_ID_KRB_AP_REQ
	TOK_ID_KRB_AP_REP = gokrb5.TOK_ID_KRB_AP_REP
	TOK_ID_KRB_ERROR  = gokrb5.TOK_ID_KRB_ERROR
)

// The states of a negotiation (RFC 4178, section 4.2.2).
//
// Deprecated: package krb5 negotiates.
const (
	NegStateAcceptCompleted  = gokrb5.NegStateAcceptCompleted
	NegStateAcceptIncomplete = gokrb5.NegStateAcceptIncomplete
	NegStateReject           = gokrb5.NegStateReject
	NegStateRequestMIC       = gokrb5.NegStateRequestMIC
)

// Tokens are the original's types: data, which nothing here authenticates with.
// Their Unmarshal is the original's too, and not fit for what comes from the
// network; [SPNEGO.AcceptSecContext] and [SPNEGOKRB5Authenticate] do not use it.
//
// Deprecated: use a gss.SecContext, whose tokens are octets.
type (
	// NegState is the state that a NegTokenResp announces.
	NegState = gokrb5.NegState
	// NegTokenInit is the initiator's first message.
	NegTokenInit = gokrb5.NegTokenInit
	// NegTokenResp is every message after the first.
	NegTokenResp = gokrb5.NegTokenResp
	// NegTokenTarg is NegTokenResp by its name in RFC 2478.
	NegTokenTarg = gokrb5.NegTokenTarg
	// SPNEGOToken is either.
	SPNEGOToken = gokrb5.SPNEGOToken
	// KRB5Token is a token of the mechanism krb5.
	KRB5Token = gokrb5.KRB5Token
)

// maxToken bounds what UnmarshalNegToken parses, in octets.
const maxToken = 128 << 10

// UnmarshalNegToken reads a NegTokenInit, which is told by true, or a
// NegTokenResp. It returns an error where the original panics.
//
// Deprecated: use a gss.SecContext, whose tokens are octets.
func UnmarshalNegToken(b []byte) (isInit bool, token any, err error) {
	logFunction(context.Background(), &notices.unmarshalNegToken, "UnmarshalNegToken", "a gss.SecContext, whose tokens are octets")
	if len(b) > maxToken {
		return false, nil, fmt.Errorf("a token of %d octets, which is more than %d", len(b), maxToken)
	}
	defer func() {
		if recover() != nil {
			isInit, token, err = false, nil, errors.New("the token is malformed")
		}
	}()
	return gokrb5.UnmarshalNegToken(b)
}

// NewNegTokenInitKRB5 makes a NegTokenInit with an AP-REQ. It is the original's
// function.
//
// Deprecated: use Provider.Initiate of package krb5.
func NewNegTokenInitKRB5(cl *client.Client, tkt messages.Ticket, sessionKey types.EncryptionKey) (NegTokenInit, error) {
	logFunction(context.Background(), &notices.newNegTokenInitKRB5, "NewNegTokenInitKRB5", "Initiate of a gss.Provider")
	return gokrb5.NewNegTokenInitKRB5(cl, tkt, sessionKey)
}

// NewKRB5TokenAPREQ makes a krb5 token with an AP-REQ. It is the original's
// function.
//
// Deprecated: use Provider.Initiate of package krb5.
func NewKRB5TokenAPREQ(cl *client.Client, tkt messages.Ticket, sessionKey types.EncryptionKey, GSSAPIFlags []int, APOptions []int) (KRB5Token, error) {
	logFunction(context.Background(), &notices.newKRB5TokenAPREQ, "NewKRB5TokenAPREQ", "Initiate of a gss.Provider")
	return gokrb5.NewKRB5TokenAPREQ(cl, tkt, sessionKey, GSSAPIFlags, APOptions)
}
