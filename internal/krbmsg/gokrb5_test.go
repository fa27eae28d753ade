package krbmsg

import (
	"bytes"
	"reflect"
	"testing"
	"time"

	"github.com/go-negotiate/negotiate/internal/principal"
	"github.com/jcmturner/gokrb5/v8/messages"
	"github.com/jcmturner/gokrb5/v8/types"
)

// theirs is a message of gokrb5: it reads what we write, and most of its
// messages also write.
type theirs interface{ Unmarshal(b []byte) error }

// TestAgainstGokrb5 compares with an independent codec, for every message and
// for every message without one of its optional fields: what we write, gokrb5
// reads as the same values; what gokrb5 writes is what we write, octet for
// octet.
func TestAgainstGokrb5(t *testing.T) {
	encoded := 0
	for _, c := range testCodecs() {
		if translate(c.full) == nil {
			continue
		}
		t.Run(c.name, func(t *testing.T) {
			variants := []any{c.full}
			for _, path := range c.optional {
				variants = append(variants, without(t, c.full, path))
			}
			for _, v := range variants {
				want := translate(v)
				b := c.encode(v)
				got := reflect.New(reflect.TypeOf(want).Elem()).Interface().(theirs)
				if err := got.Unmarshal(b); err != nil {
					t.Errorf("gokrb5 refuses our encoding of %v: %v", v, err)
				} else if !reflect.DeepEqual(got, want) {
					t.Errorf("gokrb5 reads\n%+v, want\n%+v", got, want)
				}
				m, ok := want.(interface{ Marshal() ([]byte, error) })
				if !ok {
					continue
				}
				encoded++
				if theirB, err := m.Marshal(); err != nil || !bytes.Equal(theirB, b) {
					t.Errorf("gokrb5 encodes %v as\n%x, %v; we as\n%x", v, theirB, err, b)
				}
			}
		})
	}
	if encoded < 40 {
		t.Errorf("%d encodings were compared, want 40 or more", encoded)
	}
}

// translate makes gokrb5's message out of ours; nil if gokrb5 has none.
func translate(v any) theirs {
	switch v := v.(type) {
	case KDCReq:
		fields := messages.KDCReqFields{PVNO: 5, MsgType: v.Type, PAData: translatePA(v.PAData), ReqBody: translateBody(v.Body)}
		if v.Type == TypeASReq {
			return &messages.ASReq{KDCReqFields: fields}
		}
		return &messages.TGSReq{KDCReqFields: fields}
	case KDCRep:
		fields := messages.KDCRepFields{
			PVNO: 5, MsgType: v.Type, PAData: translatePA(v.PAData), CRealm: v.Client.Realm,
			CName: translateName(v.Client), Ticket: translateTicket(v.Ticket), EncPart: translateEnc(v.Enc),
		}
		if v.Type == TypeASRep {
			return &messages.ASRep{KDCRepFields: fields}
		}
		return &messages.TGSRep{KDCRepFields: fields}
	case EncKDCRepPart:
		return &encKDCRepPart{messages.EncKDCRepPart{
			Key: translateKey(v.Key), LastReqs: []messages.LastReq{{LRType: 5, LRValue: v.LastReq}}, Nonce: int(v.Nonce),
			KeyExpiration: v.KeyExpiration, Flags: flags(v.Flags, types.NewKrbFlags, types.SetFlag), AuthTime: v.AuthTime, StartTime: v.StartTime,
			EndTime: v.EndTime, RenewTill: v.RenewTill, SRealm: v.Server.Realm, SName: translateName(v.Server),
			CAddr: translateAddresses(v.Addresses), EncPAData: translatePA(v.PAData),
		}}
	case Ticket:
		m := translateTicket(v)
		return &m
	case EncTicketPart:
		return &messages.EncTicketPart{
			Flags: flags(v.Flags, types.NewKrbFlags, types.SetFlag), Key: translateKey(v.Key), CRealm: v.Client.Realm, CName: translateName(v.Client),
			Transited: messages.TransitedEncoding{TRType: v.TransitedType, Contents: v.Transited}, AuthTime: v.AuthTime,
			StartTime: v.StartTime, EndTime: v.EndTime, RenewTill: v.RenewTill, CAddr: translateAddresses(v.Addresses),
			AuthorizationData: translateAuthData(v.AuthData),
		}
	case APReq:
		return &messages.APReq{
			PVNO: 5, MsgType: TypeAPReq, APOptions: flags(v.Options, types.NewKrbFlags, types.SetFlag), Ticket: translateTicket(v.Ticket),
			EncryptedAuthenticator: translateEnc(v.Authenticator),
		}
	case Authenticator:
		return &types.Authenticator{
			AVNO: 5, CRealm: v.Client.Realm, CName: translateName(v.Client), Cksum: translateSum(v.Checksum),
			Cusec: v.Time.Nanosecond() / 1000, CTime: v.Time.Truncate(time.Second), SubKey: translateKey(v.Subkey),
			SeqNumber: int64(v.SeqNumber), AuthorizationData: translateAuthData(v.AuthData),
		}
	case APRep:
		return &messages.APRep{PVNO: 5, MsgType: TypeAPRep, EncPart: translateEnc(v.Enc)}
	case EncAPRepPart:
		return &messages.EncAPRepPart{
			CTime: v.Time.Truncate(time.Second), Cusec: v.Time.Nanosecond() / 1000, Subkey: translateKey(v.Subkey),
			SequenceNumber: int64(v.SeqNumber),
		}
	case Cred:
		return &messages.KRBCred{PVNO: 5, MsgType: TypeCred, Tickets: translateTickets(v.Tickets), EncPart: translateEnc(v.Enc)}
	case EncCredPart:
		m := &messages.EncKrbCredPart{TicketInfo: []messages.KrbCredInfo{}}
		for _, i := range v.Info {
			info := messages.KrbCredInfo{
				Key: translateKey(i.Key), PRealm: i.Client.Realm, PName: translateName(i.Client),
				AuthTime: i.AuthTime, StartTime: i.StartTime, EndTime: i.EndTime, RenewTill: i.RenewTill,
				SRealm: i.Server.Realm, SName: translateName(i.Server), CAddr: translateAddresses(i.Addresses),
			}
			if i.Flags != 0 {
				info.Flags = flags(i.Flags, types.NewKrbFlags, types.SetFlag)
			}
			m.TicketInfo = append(m.TicketInfo, info)
		}
		return m
	case *KRBError:
		return &messages.KRBError{
			PVNO: 5, MsgType: TypeError, CTime: v.ClientTime.Truncate(time.Second), Cusec: v.ClientTime.Nanosecond() / 1000,
			STime: v.ServerTime.Truncate(time.Second), Susec: v.ServerTime.Nanosecond() / 1000, ErrorCode: int32(v.Code),
			CRealm: v.Client.Realm, CName: translateName(v.Client), Realm: v.Server.Realm, SName: translateName(v.Server),
			EText: v.Text, EData: v.Data,
		}
	case EncryptedData:
		m := translateEnc(v)
		return &m
	case []PAData:
		m := types.PADataSequence(translatePA(v))
		return &m
	case []TypedData:
		m := translateAuthData(v)
		return &m
	case []ETypeInfo2:
		m := types.ETypeInfo2{}
		for _, e := range v {
			m = append(m, types.ETypeInfo2Entry{EType: e.EType, Salt: e.Salt, S2KParams: e.Params})
		}
		return &m
	}
	return nil
}

// encKDCRepPart hides gokrb5's Marshal, which writes the tag of an AS-REP only.
type encKDCRepPart struct{ m messages.EncKDCRepPart }

func (p *encKDCRepPart) Unmarshal(b []byte) error { return p.m.Unmarshal(b) }

func translateBody(b KDCReqBody) messages.KDCReqBody {
	m := messages.KDCReqBody{
		KDCOptions: flags(b.Options, types.NewKrbFlags, types.SetFlag), CName: translateName(b.Client), Realm: b.Realm, SName: translateName(b.Server),
		From: b.From, Till: b.Till, RTime: b.RenewTill, Nonce: int(b.Nonce), EType: b.ETypes,
		Addresses: translateAddresses(b.Addresses), AdditionalTickets: translateTickets(b.AddTickets),
	}
	if b.AuthData != nil {
		m.EncAuthData = translateEnc(*b.AuthData)
	}
	return m
}

func translateTickets(list []Ticket) (out []messages.Ticket) {
	for _, t := range list {
		out = append(out, translateTicket(t))
	}
	return out
}

func translateTicket(t Ticket) messages.Ticket {
	return messages.Ticket{TktVNO: 5, Realm: t.Server.Realm, SName: translateName(t.Server), EncPart: translateEnc(t.Enc)}
}

func translateName(n principal.Name) types.PrincipalName {
	return types.PrincipalName{NameType: n.Type, NameString: n.Components}
}

func translateEnc(e EncryptedData) types.EncryptedData {
	return types.EncryptedData{EType: e.EType, KVNO: int(e.KVNO), Cipher: e.Cipher}
}

func translateKey(k EncryptionKey) types.EncryptionKey {
	return types.EncryptionKey{KeyType: k.Type, KeyValue: k.Value}
}

func translateSum(c Checksum) types.Checksum {
	return types.Checksum{CksumType: c.Type, Checksum: c.Sum}
}

func translatePA(list []PAData) (out types.PADataSequence) {
	for _, p := range list {
		out = append(out, types.PAData{PADataType: p.Type, PADataValue: p.Value})
	}
	return out
}

func translateAddresses(list []TypedData) (out types.HostAddresses) {
	for _, d := range list {
		out = append(out, types.HostAddress{AddrType: d.Type, Address: d.Data})
	}
	return out
}

func translateAuthData(list []TypedData) (out types.AuthorizationData) {
	for _, d := range list {
		out = append(out, types.AuthorizationDataEntry{ADType: d.Type, ADData: d.Data})
	}
	return out
}

// flags makes gokrb5's BIT STRING, of a type that only gokrb5's own functions
// need to name: flags(v, types.NewKrbFlags, types.SetFlag).
func flags[B any](v uint32, fresh func() B, set func(f *B, i int)) B {
	f := fresh()
	for i := range 32 {
		if v&(1<<(31-i)) != 0 {
			set(&f, i)
		}
	}
	return f
}
