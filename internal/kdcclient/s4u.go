package kdcclient

import (
	"context"
	"strings"

	"github.com/go-negotiate/negotiate/internal/etype"
	"github.com/go-negotiate/negotiate/internal/krbmsg"
	"github.com/go-negotiate/negotiate/internal/principal"
)

// useReplyKeyUsage of PA-S4U-X509-USER asks for a key usage of its own in the
// reply's checksum (MS-SFU, section 2.2.2).
const useReplyKeyUsage uint32 = 1 << (31 - 2)

// S4U2Self makes one exchange in which the client of r.TGT asks for a ticket to
// itself, r.Server, in the name of a user (MS-SFU, section 3.1.5.1.1). The user
// is named in both forms that there are, since KDCs know one or the other. The
// KDC may refer to another realm, by a ticket-granting ticket.
func (c *Client) S4U2Self(ctx context.Context, r TGSRequest, user principal.Name) (*Ticket, error) {
	forUser := krbmsg.ForUser{User: user, Package: "Kerberos"}
	forUser.Checksum = krbmsg.Checksum{
		Type: etype.RC4HMAC.ChecksumType(),
		Sum:  etype.HMACMD5(r.TGT.Key, krbmsg.UsageForUserChecksum, forUser.ChecksumInput()),
	}
	r.AnyClient = true
	r.PAData = append(r.PAData, krbmsg.PAData{Type: krbmsg.PAForUser, Value: forUser.Append(nil)})
	r.morePAData = func(nonce uint32, subkey *etype.Key) ([]krbmsg.PAData, error) {
		if subkey.Type() == etype.RC4HMAC {
			return nil, nil // its checksum would have no key there
		}
		value, err := x509User(user, nonce, subkey)
		return []krbmsg.PAData{{Type: krbmsg.PAS4UX509User, Value: value}}, err
	}
	r.checkMore = func(rep *krbmsg.KDCRep, nonce uint32, subkey *etype.Key) error {
		if err := checkX509User(rep, nonce, subkey); err != nil {
			return err
		}
		return checkImpersonated(rep.Client, user, r.TGT.Client)
	}
	return c.TGS(ctx, r)
}

// x509User makes PA-S4U-X509-USER.
func x509User(user principal.Name, nonce uint32, key *etype.Key) ([]byte, error) {
	s := krbmsg.S4UX509User{ID: krbmsg.S4UUserID{Nonce: nonce, User: user, Options: useReplyKeyUsage, HasOptions: true}}
	sum, err := key.AppendChecksum(nil, krbmsg.UsageS4UX509Request, s.ID.Append(nil))
	if err != nil {
		return nil, err
	}
	s.Checksum = krbmsg.Checksum{Type: key.Type().ChecksumType(), Sum: sum}
	return s.Append(nil), nil
}

// checkX509User verifies the KDC's answer to PA-S4U-X509-USER, if it gives one.
func checkX509User(rep *krbmsg.KDCRep, nonce uint32, key *etype.Key) error {
	value, ok := krbmsg.FindPAData(rep.PAData, krbmsg.PAS4UX509User)
	if !ok || key.Type() == etype.RC4HMAC {
		return nil
	}
	s, err := krbmsg.ParseS4UX509User(value)
	if err != nil {
		return badReply("%v", err)
	}
	usage := uint32(krbmsg.UsageS4UX509Request)
	if s.ID.Options&useReplyKeyUsage != 0 {
		usage = krbmsg.UsageS4UX509Reply
	}
	if s.ID.Nonce != nonce || s.Checksum.Type != key.Type().ChecksumType() || key.VerifyChecksum(usage, s.RawID, s.Checksum.Sum) != nil {
		return badReply("its PA-S4U-X509-USER is of another exchange, or changed")
	}
	return nil
}

// checkImpersonated refuses the ticket of somebody else than the user who was
// asked for. Directories take names in any case and answer with their own
// spelling; an enterprise name has another form than what it stands for.
func checkImpersonated(got, user, service principal.Name) error {
	same := len(got.Components) == len(user.Components) && strings.EqualFold(got.Realm, user.Realm)
	for i := 0; same && i < len(got.Components); i++ {
		same = strings.EqualFold(got.Components[i], user.Components[i])
	}
	switch {
	case same, user.Type == principal.TypeEnterprise && !got.Equal(service):
		return nil
	case got.Equal(service):
		return badReply("it is for the service itself: the KDC does not know S4U2Self")
	}
	return badReply("it is for %s, not for %s", got, user)
}

// S4U2Proxy makes one exchange in which the client of r.TGT asks for a ticket to
// r.Server in the name of the user whose ticket to it is the evidence (MS-SFU,
// section 3.1.5.2.1). It says that it knows of resource-based delegation.
func (c *Client) S4U2Proxy(ctx context.Context, r TGSRequest, evidence *Ticket) (*Ticket, error) {
	r.AnyClient = true
	r.Options |= krbmsg.OptCNameInAddlTkt
	r.AddTickets = []krbmsg.Ticket{{Raw: evidence.Raw}}
	r.PAData = append(r.PAData, krbmsg.PAData{
		Type: krbmsg.PAPACOptions, Value: krbmsg.AppendPACOptions(nil, krbmsg.PACOptionsRBCD),
	})
	t, err := c.TGS(ctx, r)
	switch {
	case err != nil:
		return nil, err
	case t.Server.IsTGS() && !r.Server.IsTGS():
		return t, nil // a referral
	case !t.Client.Equal(evidence.Client):
		return nil, badReply("it is for %s, not for %s", t.Client, evidence.Client)
	}
	return t, nil
}
