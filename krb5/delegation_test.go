package krb5_test

import (
	"bytes"
	"encoding/binary"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/go-negotiate/negotiate/gss"
	"github.com/go-negotiate/negotiate/internal/krbmsg"
	"github.com/go-negotiate/negotiate/krb5"
	"github.com/go-negotiate/negotiate/krbtest"
)

// logged has a provider log to a buffer.
func logged(o *krb5.Options) *bytes.Buffer {
	var b bytes.Buffer
	o.Logger = slog.New(slog.NewTextHandler(&b, &slog.HandlerOptions{Level: slog.LevelDebug}))
	return &b
}

// A credential is delegated if that is wanted and allowed; if it cannot be, the
// context comes about without, and says so.
func TestDelegation(t *testing.T) {
	const unset = ""
	for _, test := range []struct {
		name        string
		flags       gss.Flags
		trusted     bool // the KDC says OK-AS-DELEGATE
		ticket      []krbtest.TicketOption
		libdefaults string
		delegated   bool
		says        string // in the log
	}{
		{"not asked for", 0, true, nil, unset, false, ""},
		{"always", gss.FlagDelegate, false, nil, unset, true, ""},
		{"always, trusted", gss.FlagDelegate, true, nil, unset, true, ""},
		{"if trusted, and it is", gss.FlagDelegatePolicy, true, nil, unset, true, ""},
		{"if trusted, and it is not", gss.FlagDelegatePolicy, false, nil, unset, false, ""},
		{"always and if trusted", gss.FlagDelegate | gss.FlagDelegatePolicy, false, nil, unset, true, ""},
		{"not forwardable", gss.FlagDelegate, true, []krbtest.TicketOption{krbtest.WithoutForwarding()}, unset, false, "is not forwardable: run kinit -f"},
		{"if trusted, not forwardable", gss.FlagDelegatePolicy, true, []krbtest.TicketOption{krbtest.WithoutForwarding()}, unset, false, "is not forwardable"},
		{"krb5.conf wants trust", gss.FlagDelegate, false, nil, " enforce_ok_as_delegate = true", false, "enforce_ok_as_delegate"},
		{"krb5.conf wants trust, there is", gss.FlagDelegate, true, nil, " enforce_ok_as_delegate = true", true, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			kdc := realm(t)
			if test.trusted {
				kdc.Change(service, krbtest.OKAsDelegate())
			}
			var log *bytes.Buffer
			p := provider(t, kdc, func(o *krb5.Options) {
				o.CCache = kdc.CCache("alice", test.ticket...)
				o.Config = config(t, []string{kdc.Addr()}, test.libdefaults, "")
				log = logged(o)
			})
			i, a := establish(t, p, p, gss.InitiateOptions{Flags: test.flags}, gss.AcceptOptions{})
			if got := i.Info().Flags.Has(gss.FlagDelegate); got != test.delegated {
				t.Errorf("the initiator's FlagDelegate is %t, want %t", got, test.delegated)
			}
			if got := i.Info().Flags.Has(gss.FlagDelegatePolicy); got != (test.delegated && test.flags.Has(gss.FlagDelegatePolicy)) {
				t.Errorf("the initiator's FlagDelegatePolicy is %t", got)
			}
			if info := a.Info(); info.Flags.Has(gss.FlagDelegate) != test.delegated || (info.Delegated != nil) != test.delegated {
				t.Errorf("the acceptor has %s and %v, want delegation: %t", info.Flags, info.Delegated, test.delegated)
			}
			token, _ := firstToken(t, p, gss.InitiateOptions{Flags: test.flags})
			sent := gss.Flags(binary.LittleEndian.Uint32(spy(t, kdc.Keytab(service), token).auth.Checksum.Sum[20:]))
			if sent.Has(gss.FlagDelegatePolicy) || sent.Has(gss.FlagDelegate) != test.delegated {
				t.Errorf("the flags on the wire are %s", sent)
			}
			if got := strings.Contains(log.String(), "no credential is delegated"); got != (test.says != "") {
				t.Errorf("the log tells of a missing delegation: %t", got)
			}
			if !strings.Contains(log.String(), test.says) {
				t.Errorf("the log does not say %q:\n%s", test.says, log)
			}
		})
	}
}

// What was delegated initiates onwards, in the client's name, and the next
// service can be given it again.
func TestDelegatedCredentialGoesOn(t *testing.T) {
	kdc := realm(t)
	kdc.AddService("HTTP/second.krb.test")
	kdc.AddService("HTTP/third.krb.test")
	p := provider(t, kdc)
	middle := kdc.Acceptor(service)
	_, a := establish(t, p, middle, gss.InitiateOptions{Flags: gss.FlagDelegate | gss.FlagMutual}, gss.AcceptOptions{})
	first := a.Info().Delegated
	if first.Name().Value != "alice@KRB.TEST" || first.Usage() != gss.UsageInitiate || first.Expires().IsZero() {
		t.Errorf("delegated: %v for %v until %v", first.Name(), first.Usage(), first.Expires())
	}
	a.Close()
	second := kdc.Acceptor("HTTP/second.krb.test")
	_, a2 := establish(t, middle, second, gss.InitiateOptions{Credential: first, Target: gss.HostBased("HTTP", "second.krb.test"), Flags: gss.FlagDelegate}, gss.AcceptOptions{})
	if got := a2.Info().Initiator.Value; got != "alice@KRB.TEST" {
		t.Errorf("the second service sees %s", got)
	}
	third := kdc.Acceptor("HTTP/third.krb.test")
	_, a3 := establish(t, second, third, gss.InitiateOptions{Credential: a2.Info().Delegated, Target: gss.HostBased("HTTP", "third.krb.test")}, gss.AcceptOptions{})
	if got := a3.Info().Initiator.Value; got != "alice@KRB.TEST" {
		t.Errorf("the third service sees %s", got)
	}
}

// Each service gets a ticket-granting ticket of its own, fetched once.
func TestEachServiceItsOwnForwardedTicket(t *testing.T) {
	kdc := realm(t)
	kdc.AddService("HTTP/second.krb.test")
	p := provider(t, kdc, countable(t, kdc))
	for range 3 {
		for _, host := range []string{"web.krb.test", "second.krb.test"} {
			firstToken(t, p, gss.InitiateOptions{Target: gss.HostBased("HTTP", host), Flags: gss.FlagDelegate})
		}
	}
	if got := kdc.Requests(); got.Forward != 2 || got.Service != 2 {
		t.Errorf("%d forwarded tickets and %d service tickets, want 2 and 2", got.Forward, got.Service)
	}
}

// A forwarded ticket that does not fit into the token is left out.
func TestDelegationTooLong(t *testing.T) {
	kdc := realm(t)
	f := forgeAt(t, keysIn(t, kdc.Keytab("krbtgt/KRB.TEST"))[0], time.Now())
	f.part.Flags |= krbmsg.FlagForwardable
	f.part.AuthData = []krbmsg.TypedData{{Type: krbmsg.ADIfRelevant, Data: make([]byte, 65<<10)}}
	var log *bytes.Buffer
	p := provider(t, kdc, func(o *krb5.Options) {
		o.CCache = f.ccache()
		log = logged(o)
	})
	i, a := establish(t, p, p, gss.InitiateOptions{Flags: gss.FlagDelegate}, gss.AcceptOptions{})
	if i.Info().Flags.Has(gss.FlagDelegate) || a.Info().Delegated != nil {
		t.Error("a ticket was delegated that does not fit")
	}
	if !strings.Contains(log.String(), "65535 fit into a token") {
		t.Errorf("the log does not say why:\n%s", log)
	}
}

// A KDC that refuses to forward does not spoil the context; a caller who gives
// up ends it.
func TestForwardingRefused(t *testing.T) {
	kdc := realm(t)
	p := provider(t, kdc)
	firstToken(t, p, gss.InitiateOptions{})
	kdc.SetFault(krbtest.Fail(12))
	_, sc := firstToken(t, p, gss.InitiateOptions{Flags: gss.FlagDelegate})
	if sc.Info().Flags.Has(gss.FlagDelegate) {
		t.Error("delegation in spite of the KDC")
	}
	kdc.SetFault(krbtest.Fault{})
	_, sc = firstToken(t, p, gss.InitiateOptions{Flags: gss.FlagDelegate})
	if !sc.Info().Flags.Has(gss.FlagDelegate) {
		t.Error("the KDC's refusal was kept")
	}
}
