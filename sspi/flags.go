package sspi

import "github.com/go-negotiate/negotiate/gss"

// Request flags, which are the flags of the finished context too. Those for
// initiating and accepting differ above the first octet.
const (
	reqDelegate        = 0x1
	reqMutual          = 0x2
	reqReplay          = 0x4
	reqSequence        = 0x8
	reqConfidentiality = 0x10

	iscNullSession = 0x40000
	iscIntegrity   = 0x10000
	iscNoIntegrity = 0x800000

	ascIntegrity            = 0x20000
	ascNullSession          = 0x100000
	ascAllowMissingBindings = 0x10000000
)

// flagPair is a flag of GSS-API with that of SSPI.
type flagPair struct {
	flag gss.Flags
	req  uint32
}

var commonFlags = []flagPair{
	{gss.FlagDelegate, reqDelegate},
	{gss.FlagMutual, reqMutual},
	{gss.FlagReplay, reqReplay},
	{gss.FlagSequence, reqSequence},
	{gss.FlagConfidentiality, reqConfidentiality},
}

// initiatorRequest is what InitializeSecurityContext is asked for. Both flags of
// delegation ask for the same: Windows delegates by policy only.
func initiatorRequest(f gss.Flags) (req uint32) {
	if f.Has(gss.FlagDelegatePolicy) {
		f |= gss.FlagDelegate
	}
	for _, p := range append(commonFlags, flagPair{gss.FlagIntegrity, iscIntegrity}, flagPair{gss.FlagAnonymous, iscNullSession}) {
		if f.Has(p.flag) {
			req |= p.req
		}
	}
	return req
}

// initiatorFlags are the properties that InitializeSecurityContext has returned.
func initiatorFlags(attrs uint32) gss.Flags {
	return returned(attrs, flagPair{gss.FlagIntegrity, iscIntegrity}, flagPair{gss.FlagAnonymous, iscNullSession})
}

// acceptorRequest lets the initiator have what it wants. Without bindings none
// are looked at.
const acceptorRequest = reqDelegate | reqMutual | reqReplay | reqSequence | reqConfidentiality | ascIntegrity

// acceptorFlags are the properties that AcceptSecurityContext has returned.
func acceptorFlags(attrs uint32) gss.Flags {
	return returned(attrs, flagPair{gss.FlagIntegrity, ascIntegrity}, flagPair{gss.FlagAnonymous, ascNullSession})
}

func returned(attrs uint32, own ...flagPair) (f gss.Flags) {
	for _, p := range append(own, commonFlags...) {
		if attrs&p.req != 0 {
			f |= p.flag
		}
	}
	return f
}
