package krb5_test

import (
	"testing"

	"github.com/jcmturner/gokrb5/v8/client"
	theirconfig "github.com/jcmturner/gokrb5/v8/config"
	"github.com/jcmturner/gokrb5/v8/keytab"
	"github.com/jcmturner/gokrb5/v8/messages"
	theirservice "github.com/jcmturner/gokrb5/v8/service"
	theirspnego "github.com/jcmturner/gokrb5/v8/spnego"

	"github.com/go-negotiate/negotiate/gss"
	"github.com/go-negotiate/negotiate/internal/spnego"
)

// Another implementation's client is accepted, and its service accepts ours.
func TestAgainstGokrb5(t *testing.T) {
	kdc := realm(t)
	kt := kdc.Keytab(service)
	p := provider(t, kdc)
	t.Run("its client", func(t *testing.T) {
		c, err := theirconfig.Load(kdc.ConfigPath())
		if err != nil {
			t.Fatal(err)
		}
		cl := client.NewWithPassword("alice", "KRB.TEST", "alice's password", c, client.DisablePAFXFAST(true))
		defer cl.Destroy()
		token, err := theirspnego.SPNEGOClient(cl, service).InitSecContext()
		if err != nil {
			t.Fatal(err)
		}
		b, err := token.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		_, sc, err := accept(t, p, gss.AcceptOptions{}, b)
		if err != nil {
			t.Fatal(err)
		}
		if got := sc.Info().Initiator; got != gss.User("alice@KRB.TEST") {
			t.Errorf("the acceptor sees %s", got)
		}
	})
	t.Run("its service", func(t *testing.T) {
		keys, err := keytab.Load(kt)
		if err != nil {
			t.Fatal(err)
		}
		token, _ := firstToken(t, p, gss.InitiateOptions{Flags: gss.FlagMutual})
		_, inner, err := spnego.ParseInitialToken(token)
		if err != nil {
			t.Fatal(err)
		}
		var req messages.APReq
		if err := req.Unmarshal(inner[2:]); err != nil {
			t.Fatal(err)
		}
		ok, creds, err := theirservice.VerifyAPREQ(&req, theirservice.NewSettings(keys, theirservice.DecodePAC(false)))
		if err != nil || !ok {
			t.Fatal(ok, err)
		}
		if creds.UserName() != "alice" || creds.Domain() != "KRB.TEST" {
			t.Errorf("it sees %s of %s", creds.UserName(), creds.Domain())
		}
	})
}
