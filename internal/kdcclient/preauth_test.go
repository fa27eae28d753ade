package kdcclient_test

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-negotiate/negotiate/internal/etype"
	"github.com/go-negotiate/negotiate/internal/kdcclient"
	"github.com/go-negotiate/negotiate/internal/krbmsg"
	"github.com/go-negotiate/negotiate/internal/principal"
)

// demands has the KDC ask for pre-authentication with other methods.
func demands(t *testing.T, w *wire, change func([]krbmsg.PAData) []krbmsg.PAData) {
	w.reply = func(reply []byte) []byte {
		if !krbmsg.IsKRBError(reply) {
			return reply
		}
		e, err := krbmsg.ParseKRBError(reply)
		if err != nil || e.Code != krbmsg.ErrPreauthRequired {
			return reply
		}
		methods, err := krbmsg.ParseMethodData(e.Data)
		if err != nil {
			t.Error(err)
		}
		e.Data = krbmsg.AppendMethodData(nil, change(methods))
		return e.Append(nil)
	}
}

// A KDC that offers FAST and other ways, as MIT's and Active Directory do, gets
// the timestamp, and nothing of what is not spoken here.
func TestASManyMethods(t *testing.T) {
	const pkinitOld, pkinit, fast, encChallenge, spake, encPARep = 15, 16, 136, 138, 151, 149
	w := realmA(t)
	demands(t, w, func(methods []krbmsg.PAData) []krbmsg.PAData {
		var offered []krbmsg.PAData
		for _, typ := range []int32{fast, pkinit, pkinitOld, spake, encChallenge, encPARep} {
			offered = append(offered, krbmsg.PAData{Type: typ})
		}
		return append(offered, methods...)
	})
	if _, err := w.client().AS(t.Context(), asRequest("alice")); err != nil {
		t.Fatal(err)
	}
	for _, sent := range w.sent {
		req, err := krbmsg.ParseKDCReq(sent)
		if err != nil {
			t.Fatal(err)
		}
		for _, pa := range req.PAData {
			if pa.Type != krbmsg.PAEncTimestamp {
				t.Errorf("the client sent pre-authentication of type %d", pa.Type)
			}
		}
	}
	if len(w.sent) != 2 {
		t.Errorf("%d requests, want 2", len(w.sent))
	}
}

// Salt and parameters are those of the KDC, of the first type that is allowed
// here and that there is a key of.
func TestASSalts(t *testing.T) {
	rounds := []byte{0, 0, 0x12, 0x34}
	for _, test := range []struct {
		name    string
		entries []krbmsg.ETypeInfo2
		etypes  []int32
		id      etype.ID
		salt    string
		params  []byte
	}{
		{"the KDC's", []krbmsg.ETypeInfo2{{EType: 18, HasSalt: true, Salt: "odd", Params: rounds}}, allTypes, 18, "odd", rounds},
		{"empty", []krbmsg.ETypeInfo2{{EType: 18, HasSalt: true}}, allTypes, 18, "", nil},
		{"the default one", []krbmsg.ETypeInfo2{{EType: 17}}, allTypes, 17, "A.TESTalice", nil},
		{"not the first", []krbmsg.ETypeInfo2{{EType: 23}, {EType: 18}, {EType: 20, HasSalt: true, Salt: "x"}}, []int32{20}, 20, "x", nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := realmA(t)
			demands(t, w, func(methods []krbmsg.PAData) []krbmsg.PAData {
				methods = slices.DeleteFunc(methods, func(p krbmsg.PAData) bool { return p.Type == krbmsg.PAETypeInfo2 })
				return append(methods, krbmsg.PAData{Type: krbmsg.PAETypeInfo2, Value: krbmsg.AppendETypeInfo2(nil, test.entries)})
			})
			asked := errors.New("asked for")
			r := asRequest("alice")
			r.ETypes = test.etypes
			r.Key = func(id etype.ID, salt string, params []byte) (*etype.Key, error) {
				if id != test.id || salt != test.salt || !bytes.Equal(params, test.params) {
					t.Errorf("the key of %s is made with %q and % x, want %s, %q and % x", id, salt, params, test.id, test.salt, test.params)
				}
				return nil, asked
			}
			if _, err := w.client().AS(t.Context(), r); !errors.Is(err, asked) {
				t.Errorf("got %v", err)
			}
		})
	}
}

// Replies of up to 10 MiB are taken, and no longer ones.
func TestReplySize(t *testing.T) {
	sized := func(n int) []byte {
		e := krbmsg.KRBError{Code: krbmsg.ErrGeneric, ServerTime: time.Unix(0, 0), Server: principal.TGS("R", "R"), Data: make([]byte, n)}
		return e.Append(nil)
	}
	for _, test := range []struct {
		reply []byte
		want  string // part of the error
	}{
		{sized(9 << 20), ""},
		{sized(10 << 20), "octets was announced, at most 10485760 are taken"},
	} {
		synctest.Test(t, func(t *testing.T) {
			n := &network{scripts: map[string]script{"tcp one:88": stream(framed(test.reply))}}
			defer n.running.Wait()
			got, err := n.client(kdcclient.Server{Network: "tcp", Address: "one:88"}).Exchange(t.Context(), "R", request)
			if test.want == "" && (err != nil || !bytes.Equal(got, test.reply)) {
				t.Errorf("%d octets: %v", len(test.reply), err)
			}
			if test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("%d octets: %v", len(test.reply), err)
			}
		})
	}
}
