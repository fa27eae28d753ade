package krb5_test

import (
	"encoding/binary"
	"testing"

	"github.com/go-negotiate/negotiate/gss"
	"github.com/go-negotiate/negotiate/internal/krbmsg"
)

// TestInitiatorSaysThatItBinds: with bindings the authenticator says that there
// always are some (MS-KILE, section 3.2.5.8), and without it says nothing.
func TestInitiatorSaysThatItBinds(t *testing.T) {
	kdc := realm(t)
	for _, b := range []*gss.ChannelBindings{nil, {ApplicationData: []byte("tls-server-end-point:x")}} {
		token, _ := firstToken(t, kdc.Provider("alice"), gss.InitiateOptions{ChannelBindings: b})
		says := false
		for _, d := range spy(t, kdc.Keytab(service), token).auth.AuthData {
			inner, err := krbmsg.ParseTypedData(d.Data)
			if d.Type != krbmsg.ADIfRelevant || err != nil {
				t.Fatalf("got authorization data of type %d, %v", d.Type, err)
			}
			for _, e := range inner {
				says = says || e.Type == krbmsg.ADAPOptions && len(e.Data) == 4 && binary.LittleEndian.Uint32(e.Data) == krbmsg.APOptionsCBT
			}
		}
		if says != (b != nil) {
			t.Errorf("with bindings %t the authenticator says so: %t", b != nil, says)
		}
	}
}
