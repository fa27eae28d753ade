package gss

// ChannelBindings tie a context to the channel that carries it (RFC 2743,
// section 1.1.6; RFC 5056). For TLS only ApplicationData is used:
// "tls-server-end-point:" followed by the hash of RFC 5929, section 4.1. The
// fields of addresses exist for peers of older protocols; zero is "unspecified".
type ChannelBindings struct {
	InitiatorAddrType uint32
	InitiatorAddress  []byte
	AcceptorAddrType  uint32
	AcceptorAddress   []byte
	ApplicationData   []byte
}
