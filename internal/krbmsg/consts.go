package krbmsg

// Message types, which are also the application tags (RFC 4120, section 5.10).
const (
	TypeASReq  = 10
	TypeASRep  = 11
	TypeTGSReq = 12
	TypeTGSRep = 13
	TypeAPReq  = 14
	TypeAPRep  = 15
	TypeCred   = 22
	TypeError  = 30
)

// Application tags of what is no message by itself.
const (
	tagTicket         = 1
	tagAuthenticator  = 2
	tagEncTicketPart  = 3
	tagEncASRepPart   = 25
	tagEncTGSRepPart  = 26
	tagEncAPRepPart   = 27
	tagEncKrbCredPart = 29
)

// Key usage numbers (RFC 4120, section 7.5.1; RFC 4121, section 2; MS-SFU).
const (
	UsageASReqTimestamp      = 1
	UsageTicket              = 2
	UsageASRepPart           = 3
	UsageTGSReqAuthDataKey   = 4
	UsageTGSReqAuthDataSub   = 5
	UsageTGSReqChecksum      = 6
	UsageTGSReqAuthenticator = 7
	UsageTGSRepKey           = 8
	UsageTGSRepSubkey        = 9
	UsageAPReqChecksum       = 10
	UsageAPReqAuthenticator  = 11
	UsageAPRepPart           = 12
	UsageCredPart            = 14
	UsageForUserChecksum     = 17
	UsageAcceptorSeal        = 22
	UsageAcceptorSign        = 23
	UsageInitiatorSeal       = 24
	UsageInitiatorSign       = 25
	UsageS4UX509Request      = 26
	UsageS4UX509Reply        = 27
)

// KDC options (RFC 4120, section 5.4.1; RFC 6806; MS-SFU) and, where the names
// agree, ticket flags (section 5.3). Bit 0 of the RFC is the most significant.
const (
	OptForwardable      uint32 = 1 << (31 - 1)
	OptForwarded        uint32 = 1 << (31 - 2)
	OptProxiable        uint32 = 1 << (31 - 3)
	OptProxy            uint32 = 1 << (31 - 4)
	OptAllowPostdate    uint32 = 1 << (31 - 5)
	OptPostdated        uint32 = 1 << (31 - 6)
	OptRenewable        uint32 = 1 << (31 - 8)
	OptCNameInAddlTkt   uint32 = 1 << (31 - 14)
	OptCanonicalize     uint32 = 1 << (31 - 15)
	OptRequestAnonymous uint32 = 1 << (31 - 16)
	OptDisableTransited uint32 = 1 << (31 - 26)
	OptRenewableOK      uint32 = 1 << (31 - 27)
	OptEncTktInSKey     uint32 = 1 << (31 - 28)
	OptRenew            uint32 = 1 << (31 - 30)
	OptValidate         uint32 = 1
)

// Ticket flags (RFC 4120, section 5.3).
const (
	FlagForwardable   uint32 = 1 << (31 - 1)
	FlagForwarded     uint32 = 1 << (31 - 2)
	FlagProxiable     uint32 = 1 << (31 - 3)
	FlagProxy         uint32 = 1 << (31 - 4)
	FlagInvalid       uint32 = 1 << (31 - 7)
	FlagRenewable     uint32 = 1 << (31 - 8)
	FlagInitial       uint32 = 1 << (31 - 9)
	FlagPreAuth       uint32 = 1 << (31 - 10)
	FlagHWAuth        uint32 = 1 << (31 - 11)
	FlagTransited     uint32 = 1 << (31 - 12)
	FlagOKAsDelegate  uint32 = 1 << (31 - 13)
	FlagEncPARep      uint32 = 1 << (31 - 15)
	FlagAnonymousTick uint32 = 1 << (31 - 16)
)

// AP options (RFC 4120, section 5.5.1).
const (
	APUseSessionKey  uint32 = 1 << (31 - 1)
	APMutualRequired uint32 = 1 << (31 - 2)
)

// Pre-authentication data types.
const (
	PATGSReq         = 1
	PAEncTimestamp   = 2
	PAPWSalt         = 3
	PAETypeInfo      = 11
	PAETypeInfo2     = 19
	PASvrReferral    = 20
	PAForUser        = 129
	PAS4UX509User    = 130
	PAFXCookie       = 133
	PAFXFast         = 136
	PAReqEncPARep    = 149
	PAPACOptions     = 167
	PASupportedEType = 165
)

// Authorization data types.
const (
	ADIfRelevant   = 1
	ADWin2KPAC     = 128
	ADAPOptions    = 143 // KERB_AP_OPTIONS (MS-KILE 2.2.10)
	ADTargetName   = 144
	APOptionsCBT   = 0x4000 // KERB_AP_OPTIONS_CBT: channel bindings are supported
	TransitedX500  = 1      // DOMAIN-X500-COMPRESS
	PACOptionsRBCD = 1 << (31 - 3)
)

// ChecksumGSSAPI is the checksum type of the authenticator in a GSS-API token
// (RFC 4121, section 4.1.1).
const ChecksumGSSAPI = 0x8003
