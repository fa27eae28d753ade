package krb5_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"github.com/go-negotiate/negotiate/gss"
	"github.com/go-negotiate/negotiate/krb5"
	"github.com/go-negotiate/negotiate/krbtest"
)

// logInto has a client log in to HTTP/front.krb.test, and returns the context that
// the service has then.
func logInto(p gss.Provider, client, service gss.Credential) (gss.SecContext, error) {
	ctx := context.Background()
	initiator, err := p.Initiate(ctx, gss.InitiateOptions{Credential: client, Target: gss.HostBased("HTTP", "front.krb.test")})
	if err != nil {
		return nil, err
	}
	defer initiator.Close()
	token, _, err := initiator.Step(ctx, nil)
	if err != nil {
		return nil, err
	}
	acceptor, err := p.Accept(ctx, gss.AcceptOptions{Credential: service})
	if err != nil {
		return nil, err
	}
	if _, _, err := acceptor.Step(ctx, token); err != nil {
		acceptor.Close()
		return nil, err
	}
	return acceptor, nil
}

// A front end goes to a service in the name of a user whom it knows by other
// means than Kerberos.
func ExampleProvider_Impersonate() {
	kdc := example()
	defer kdc.Close()
	kdc.AddService("HTTP/front.krb.test", krbtest.ProtocolTransition(), krbtest.DelegateTo("HTTP/web.krb.test"))
	p, err := krb5.New(krb5.Options{Config: kdc.ConfigPath(), Keytab: kdc.Keytab("HTTP/web.krb.test")})
	if err != nil {
		log.Fatal(err)
	}
	front, err := p.FromKeytab("HTTP/front.krb.test", kdc.Keytab("HTTP/front.krb.test"))
	if err != nil {
		log.Fatal(err)
	}
	defer front.Close()
	alice, err := p.Impersonate(context.Background(), front, gss.User("alice"))
	if err != nil {
		log.Fatal(err)
	}
	if err := greet(p, alice, nil); err != nil {
		log.Fatal(err)
	}
	_, err = p.Impersonate(context.Background(), front, gss.User("mallory"))
	fmt.Println(errors.Is(err, gss.ErrInvalidName))
	// Output:
	// Hello, alice@KRB.TEST
	// true
}

// A front end goes on to another service in the name of a client who has logged
// in to it, and who has delegated nothing.
func ExampleProvider_DelegatingAcceptor() {
	kdc := example()
	defer kdc.Close()
	kdc.AddService("HTTP/front.krb.test", krbtest.DelegateTo("HTTP/web.krb.test"))
	p, err := krb5.New(krb5.Options{Config: kdc.ConfigPath(), CCache: kdc.CCache("alice"), Keytab: kdc.Keytab("HTTP/web.krb.test")})
	if err != nil {
		log.Fatal(err)
	}
	keytab := kdc.Keytab("HTTP/front.krb.test")
	front, err := p.FromKeytab("HTTP/front.krb.test", keytab)
	if err != nil {
		log.Fatal(err)
	}
	defer front.Close()
	acceptor, err := p.AcceptorFromKeytab(keytab)
	if err != nil {
		log.Fatal(err)
	}
	if acceptor, err = p.DelegatingAcceptor(acceptor, front); err != nil {
		log.Fatal(err)
	}
	accepted, err := logInto(p, nil, acceptor) // alice
	if err != nil {
		log.Fatal(err)
	}
	defer accepted.Close()
	if err := greet(p, accepted.Info().Delegated, nil); err != nil {
		log.Fatal(err)
	}
	// Output: Hello, alice@KRB.TEST
}

// What the ticket of a user of Active Directory says of its groups.
func ExamplePACFrom() {
	kdc := example()
	defer kdc.Close()
	kdc.AddService("HTTP/front.krb.test")
	kdc.AddPrincipal("bob", "secret", krbtest.Groups(1200))
	admins := kdc.DomainSID() + "-1200"
	p, err := krb5.New(krb5.Options{Config: kdc.ConfigPath(), Keytab: kdc.Keytab("HTTP/front.krb.test")})
	if err != nil {
		log.Fatal(err)
	}
	for _, user := range []string{"alice", "bob"} {
		client, err := p.FromCCache(kdc.CCache(user))
		if err != nil {
			log.Fatal(err)
		}
		accepted, err := logInto(p, client, nil)
		if err != nil {
			log.Fatal(err)
		}
		pac, err := krb5.PACFrom(accepted.(gss.Authorizer).Authorization())
		switch {
		case errors.Is(err, krb5.ErrNoPAC):
			fmt.Println(user, "has no groups")
		case err != nil:
			log.Fatal(err)
		default:
			fmt.Println(pac.LogonName, "is an administrator:", pac.InGroup(admins))
		}
		accepted.Close()
	}
	// Output:
	// alice has no groups
	// bob is an administrator: true
}

// Tickets that were fetched are found by whoever uses the cache next, who needs no
// KDC any more.
func ExampleOptions_storeTickets() {
	kdc := example()
	defer kdc.Close()
	cache, keytab := kdc.CCache("alice"), kdc.Keytab("HTTP/web.krb.test")
	for range 2 {
		p, err := krb5.New(krb5.Options{Config: kdc.ConfigPath(), CCache: cache, Keytab: keytab, StoreTickets: true})
		if err != nil {
			log.Fatal(err)
		}
		if err := greet(p, nil, nil); err != nil {
			log.Fatal(err)
		}
		kdc.SetFault(krbtest.Refuse())
	}
	// Output:
	// Hello, alice@KRB.TEST
	// Hello, alice@KRB.TEST
}
