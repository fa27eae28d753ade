package krb5

import (
	"bytes"
	"fmt"

	"github.com/go-negotiate/negotiate/internal/etype"
	"github.com/go-negotiate/negotiate/internal/kdcclient"
	"github.com/go-negotiate/negotiate/internal/krbmsg"
)

// sealCred makes the KRB-CRED that delegates a ticket-granting ticket. It is
// encrypted with the session key of the context's ticket (RFC 4121, section
// 4.1.1).
func sealCred(tgt *kdcclient.Ticket, key *etype.Key) ([]byte, error) {
	part := krbmsg.EncCredPart{Info: []krbmsg.CredInfo{{
		Key:       krbmsg.EncryptionKey{Type: int32(tgt.Key.Type()), Value: tgt.Key.Bytes()},
		Client:    tgt.Client,
		Flags:     tgt.Flags,
		AuthTime:  tgt.AuthTime,
		StartTime: tgt.StartTime,
		EndTime:   tgt.EndTime,
		RenewTill: tgt.RenewTill,
		Server:    tgt.Server,
		Addresses: tgt.Addresses,
	}}}
	cipher, err := key.AppendEncrypt(nil, krbmsg.UsageCredPart, part.Append(nil))
	if err != nil {
		return nil, err
	}
	msg := krbmsg.Cred{
		Tickets: []krbmsg.Ticket{{Raw: tgt.Raw}},
		Enc:     krbmsg.EncryptedData{EType: int32(key.Type()), Cipher: cipher},
	}
	return msg.Append(nil), nil
}

// openCred reads a KRB-CRED with the session key, or with the initiator's
// sub-key, as some initiators encrypt it. The message has to come out of an
// authenticator, which is encrypted itself: Heimdal does not encrypt it once more
// (RFC 4120, section 5.8.1).
func openCred(b []byte, keys ...*etype.Key) ([]*kdcclient.Ticket, error) {
	msg, err := krbmsg.ParseCred(b)
	if err != nil {
		return nil, err
	}
	part, err := openCredPart(&msg, keys)
	if err != nil {
		return nil, err
	}
	if len(part.Info) != len(msg.Tickets) || len(part.Info) == 0 {
		return nil, fmt.Errorf("%w: KRB-CRED with %d tickets and %d keys", krbmsg.ErrMalformed, len(msg.Tickets), len(part.Info))
	}
	var out []*kdcclient.Ticket
	for i := range part.Info {
		info := &part.Info[i]
		key, err := etype.NewKey(etype.ID(info.Key.Type), info.Key.Value)
		if err != nil {
			return nil, fmt.Errorf("the key of the ticket for %s: %w", msg.Tickets[i].Server, err)
		}
		t := &kdcclient.Ticket{
			// The name is the ticket's, which is what the KDC goes by. A copy,
			// since the message is wiped.
			Client: info.Client, Server: msg.Tickets[i].Server, Raw: bytes.Clone(msg.Tickets[i].Raw), Key: key, Flags: info.Flags,
			AuthTime: info.AuthTime, StartTime: info.StartTime, EndTime: info.EndTime, RenewTill: info.RenewTill,
		}
		for _, a := range info.Addresses {
			t.Addresses = append(t.Addresses, krbmsg.TypedData{Type: a.Type, Data: bytes.Clone(a.Data)})
		}
		out = append(out, t)
	}
	return out, nil
}

// etypeNull is the number of "not encrypted" (RFC 4120, section 5.8.1).
const etypeNull = 0

func openCredPart(msg *krbmsg.Cred, keys []*etype.Key) (krbmsg.EncCredPart, error) {
	if msg.Enc.EType == etypeNull {
		return krbmsg.ParseEncCredPart(msg.Enc.Cipher)
	}
	for _, key := range keys {
		if key == nil || int32(key.Type()) != msg.Enc.EType {
			continue
		}
		plain, err := key.AppendDecrypt(nil, krbmsg.UsageCredPart, msg.Enc.Cipher)
		if err == nil {
			return krbmsg.ParseEncCredPart(plain)
		}
	}
	return krbmsg.EncCredPart{}, fmt.Errorf("KRB-CRED: %w", etype.ErrIntegrity)
}
