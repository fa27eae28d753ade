package krb5_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/go-negotiate/negotiate/gss"
	"github.com/go-negotiate/negotiate/internal/ccache"
	"github.com/go-negotiate/negotiate/krb5"
	"github.com/go-negotiate/negotiate/krbtest"
)

// renderings are the forms in which bytes may be shown. A part of a key is as
// bad as the whole.
func renderings(secret []byte) []string {
	part := secret[4:min(len(secret), 12)]
	list := func(format, separator string) string {
		var items []string
		for _, b := range part {
			items = append(items, fmt.Sprintf(format, b))
		}
		return strings.Join(items, separator)
	}
	return []string{
		string(part), hex.EncodeToString(part), strings.ToUpper(hex.EncodeToString(part)),
		list("%d", " "), list("%d", ","), list("%#x", ", "), list("%x", " "),
		base64.StdEncoding.EncodeToString(secret[:3*(len(secret)/3)]),
	}
}

// prints is everything that may be printed of a value.
func prints(t *testing.T, value any) string {
	t.Helper()
	var b bytes.Buffer
	for _, v := range []any{value, &value, struct{ X any }{value}, struct{ x any }{value}, []any{value}, map[string]any{"x": value}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x", "%X", "%o", "%b", "%t", "%T"} {
			fmt.Fprintf(&b, verb+"\n", v)
		}
		slog.New(slog.NewTextHandler(&b, nil)).Info("value", "value", v)
		slog.New(slog.NewJSONHandler(&b, nil)).Info("value", "value", v)
		if j, err := json.Marshal(v); err == nil {
			b.Write(j)
		}
	}
	return b.String()
}

// No key and no password is to be seen in anything that the package hands out,
// in any state, however it is printed, nor in its log and its errors.
func TestNothingSecretIsPrinted(t *testing.T) {
	const password = "correct horse battery staple"
	kdc := krbtest.NewKDC(t)
	kdc.AddPrincipal("alice", password)
	kdc.AddService(service)
	cc, kt := kdc.CCache("alice"), kdc.Keytab(service)
	var log *bytes.Buffer
	p := provider(t, kdc, func(o *krb5.Options) {
		o.CCache, o.Keytab = cc, kt
		log = logged(o)
	})
	secrets := map[string][]byte{"password": []byte(password)}
	cache, _, err := ccache.ReadFile(cc)
	if err != nil {
		t.Fatal(err)
	}
	secrets["session key of the TGT"] = cache.Creds[0].Key
	for i, e := range keysIn(t, kt) {
		secrets[fmt.Sprintf("service key %d", i)] = e.Key
	}
	shown := make(map[string]string)
	show := func(name string, v any) {
		t.Helper()
		shown[name] = prints(t, v)
	}

	fromPassword, err := p.FromPassword("alice", password)
	if err != nil {
		t.Fatal(err)
	}
	show("password credential, unused", fromPassword)
	firstToken(t, p, gss.InitiateOptions{Credential: fromPassword})
	show("password credential", fromPassword)
	fromKeytab, err := p.FromKeytab(service, kt)
	if err != nil {
		t.Fatal(err)
	}
	firstToken(t, p, gss.InitiateOptions{Credential: fromKeytab})
	show("keytab credential", fromKeytab)
	following, err := p.FromCCache("")
	if err != nil {
		t.Fatal(err)
	}
	resolved, err := following.(gss.Resolver).Resolve(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	acceptor, err := p.AcceptorFromKeytab("")
	if err != nil {
		t.Fatal(err)
	}
	for _, mech := range []gss.OID{gss.MechKRB5, gss.MechSPNEGO} {
		o := gss.InitiateOptions{Credential: resolved, Mechanism: mech, Flags: gss.FlagMutual | gss.FlagDelegate}
		name := mech.Describe()
		token, i := firstToken(t, p, o)
		if mech == gss.MechKRB5 {
			spied := spy(t, kt, token)
			secrets["session key"], secrets["sub-key"] = spied.session.Bytes(), spied.auth.Subkey.Value
		}
		show(name+": waiting initiator", i)
		a, err := p.Accept(t.Context(), gss.AcceptOptions{Credential: acceptor})
		if err != nil {
			t.Fatal(err)
		}
		show(name+": new acceptor", a)
		reply, _, err := a.Step(t.Context(), token)
		if err != nil {
			t.Fatal(err)
		}
		if _, done, err := i.Step(t.Context(), reply); err != nil || !done {
			t.Fatal(done, err)
		}
		for _, sc := range []gss.SecContext{i, a} {
			if _, err := sc.(gss.MessageProtector).GetMIC(nil); err != nil {
				t.Fatal(err)
			}
		}
		show(name+": initiator", i)
		show(name+": acceptor", a)
		show(name+": info", a.Info())
		show(name+": delegated", a.Info().Delegated)
		a.Close()
		show(name+": closed acceptor", a)
	}
	show("following credential", following)
	show("resolved credential", resolved)
	show("acceptor credential", acceptor)
	show("provider", p)
	_, _, err = accept(t, p, gss.AcceptOptions{}, forge(t, kdc).token())
	if err != nil {
		t.Fatal(err)
	}
	shown["log"] = log.String()
	for name, text := range shown {
		if text == "" {
			t.Errorf("%s: nothing is printed", name)
		}
		for secret, value := range secrets {
			for _, form := range renderings(value) {
				if strings.Contains(text, form) {
					t.Errorf("%s shows the %s, as %q", name, secret, form)
				}
			}
		}
	}
}

// What is printed says what it is.
func TestStrings(t *testing.T) {
	kdc := realm(t)
	cc, kt := kdc.CCache("alice"), kdc.Keytab(service)
	p := provider(t, kdc, func(o *krb5.Options) { o.CCache, o.Keytab = cc, kt })
	following, _ := p.FromCCache("")
	resolved, _ := p.Acquire(t.Context(), gss.CredentialOptions{})
	password, _ := p.FromPassword("alice", "x")
	anyOf, _ := p.AcceptorFromKeytab("")
	one, _ := p.Acquire(t.Context(), gss.CredentialOptions{Usage: gss.UsageAccept, Name: target})
	i, a := establish(t, p, p, gss.InitiateOptions{}, gss.AcceptOptions{})
	for want, v := range map[string]any{
		"krb5 credential from the cache " + cc:                                       following,
		"krb5 credential of alice@KRB.TEST from the cache " + cc:                     resolved,
		"krb5 credential of alice@KRB.TEST from the password":                        password,
		"krb5 acceptor credential from the keytab " + kt:                             anyOf,
		"krb5 acceptor credential of " + service + "@KRB.TEST from the keytab " + kt: one,
		"krb5 initiator context for " + service + "@KRB.TEST":                        i,
		"krb5 acceptor context from the keytab " + kt:                                a,
		"krb5": p,
	} {
		if got := fmt.Sprint(v); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	for _, v := range []any{i, a} {
		var b bytes.Buffer
		slog.New(slog.NewJSONHandler(&b, nil)).Info("", "context", v)
		if !strings.Contains(b.String(), fmt.Sprint(v)) {
			t.Errorf("the log does not tell what the context is: %s", &b)
		}
	}
}
