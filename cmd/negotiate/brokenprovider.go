package main

import (
	"context"

	"github.com/go-negotiate/negotiate/gss"
)

// brokenProvider stands for one that could not be made, as krb5.conf is broken
// perhaps. A page that asks for no authentication needs none; one that does is
// told why there is none.
type brokenProvider struct{ err error }

func (p brokenProvider) String() string { return "no provider" }

func (p brokenProvider) Mechanisms() []gss.OID { return nil }

func (p brokenProvider) Acquire(context.Context, gss.CredentialOptions) (gss.Credential, error) {
	return nil, p.err
}

func (p brokenProvider) Initiate(context.Context, gss.InitiateOptions) (gss.SecContext, error) {
	return nil, p.err
}

func (p brokenProvider) Accept(context.Context, gss.AcceptOptions) (gss.SecContext, error) {
	return nil, p.err
}
