package krbtest

// Requests are how many requests a KDC has received, whether or not it answered
// them. A client that repeats a request is counted again.
type Requests struct {
	// AS counts AS-REQs. A login with pre-authentication takes two.
	AS int
	// TGS counts TGS-REQs, and the fields below it those of each kind.
	TGS        int
	Service    int // for a service ticket
	Renew      int // to renew a ticket
	Forward    int // for a forwarded ticket-granting ticket
	Referral   int // for, or answered with, a ticket for another realm
	S4U2Self   int
	S4U2Proxy  int
	UserToUser int
	// UDP and TCP count requests by transport.
	UDP, TCP int
	// Errors counts KRB-ERRORs that were sent, without those that tell the
	// client to pre-authenticate or to use TCP.
	Errors int
	// Malformed counts what was neither AS-REQ nor TGS-REQ.
	Malformed int
}

// Requests returns what has been asked for since the start or the last
// [KDC.ResetRequests].
func (k *KDC) Requests() Requests { return Requests(k.server.Counts()) }

// ResetRequests begins to count anew.
func (k *KDC) ResetRequests() { k.server.ResetCounts() }
