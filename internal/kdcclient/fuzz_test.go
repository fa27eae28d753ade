package kdcclient_test

import (
	"context"
	"errors"
	"net"
	"testing"
	"time"

	"github.com/go-negotiate/negotiate/internal/etype"
	"github.com/go-negotiate/negotiate/internal/kdcclient"
	"github.com/go-negotiate/negotiate/internal/krbmsg"
	"github.com/go-negotiate/negotiate/internal/principal"
)

// FuzzReply has anything for the KDC's answer. Nobody but the KDC can make a
// ticket of it, and nothing panics.
func FuzzReply(f *testing.F) {
	cipher := krbmsg.EncryptedData{EType: 18, Cipher: make([]byte, 64)}
	ticket := krbmsg.Ticket{Server: principal.TGS("A.TEST", "A.TEST"), Enc: cipher}
	for _, typ := range []int{krbmsg.TypeASRep, krbmsg.TypeTGSRep} {
		rep := krbmsg.KDCRep{Type: typ, Client: principal.New("A.TEST", "alice"), Ticket: ticket, Enc: cipher}
		f.Add(rep.Append(nil))
		rep.PAData = []krbmsg.PAData{{Type: krbmsg.PAETypeInfo2, Value: krbmsg.AppendETypeInfo2(nil, []krbmsg.ETypeInfo2{{EType: 18, Salt: "salt", HasSalt: true, Params: []byte{0, 0, 0x10, 0}}})}}
		f.Add(rep.Append(nil))
	}
	f.Add(reply)
	demand := krbmsg.KRBError{
		Code: krbmsg.ErrPreauthRequired, ServerTime: time.Unix(0, 0), Server: principal.TGS("A.TEST", "A.TEST"),
		Data: krbmsg.AppendMethodData(nil, []krbmsg.PAData{{Type: krbmsg.PAEncTimestamp}}),
	}
	f.Add(demand.Append(nil))
	key, err := etype.NewKey(etype.AES256SHA1, make([]byte, 32))
	if err != nil {
		f.Fatal(err)
	}
	tgt := &kdcclient.Ticket{
		Client: principal.New("A.TEST", "alice"), Server: ticket.Server, Raw: ticket.Append(nil), Key: key,
		EndTime: time.Unix(2_000_000_000, 0),
	}
	f.Fuzz(func(t *testing.T, answer []byte) {
		c := &kdcclient.Client{
			Servers: func(context.Context, string) ([]kdcclient.Server, error) {
				return []kdcclient.Server{{Network: "tcp", Address: "kdc:88"}}, nil
			},
			Dial: func(context.Context, string, string) (net.Conn, error) {
				client, server := net.Pipe()
				go func() {
					defer server.Close()
					stream(framed(answer))(server)
				}()
				return client, nil
			},
		}
		r := asRequest("alice")
		// Not the password's key, which takes long to derive.
		r.Key = func(id etype.ID, _ string, _ []byte) (*etype.Key, error) {
			if id != etype.AES256SHA1 {
				return nil, errors.New("no such key")
			}
			return key, nil
		}
		if got, err := c.AS(t.Context(), r); err == nil {
			t.Errorf("AS made a ticket: %+v", got)
		}
		if got, err := c.TGS(t.Context(), kdcclient.TGSRequest{TGT: tgt, Server: principal.Service("", "HTTP", "web.a.test"), ETypes: allTypes}); err == nil {
			t.Errorf("TGS made a ticket: %+v", got)
		}
	})
}
