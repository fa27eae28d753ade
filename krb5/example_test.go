package krb5_test

import (
	"context"
	"fmt"
	"log"

	"github.com/go-negotiate/negotiate/gss"
	"github.com/go-negotiate/negotiate/krb5"
	"github.com/go-negotiate/negotiate/krbtest"
)

// example is a realm with alice and a service, in place of a real one.
func example() *krbtest.KDC {
	kdc := krbtest.Start()
	kdc.AddPrincipal("alice", "secret")
	kdc.AddService("HTTP/web.krb.test")
	return kdc
}

// greet has a client and a service exchange their tokens, which a protocol such
// as HTTP would carry, and tells whom the service sees.
func greet(p gss.Provider, client, service gss.Credential) error {
	ctx := context.Background()
	initiator, err := p.Initiate(ctx, gss.InitiateOptions{Credential: client, Target: gss.HostBased("HTTP", "web.krb.test")})
	if err != nil {
		return err
	}
	defer initiator.Close()
	acceptor, err := p.Accept(ctx, gss.AcceptOptions{Credential: service})
	if err != nil {
		return err
	}
	defer acceptor.Close()
	token, _, err := initiator.Step(ctx, nil)
	if err != nil {
		return err
	}
	// Without mutual authentication that is all.
	if _, _, err := acceptor.Step(ctx, token); err != nil {
		return err
	}
	fmt.Println("Hello,", acceptor.Info().Initiator)
	return nil
}

// In an environment where kinit works, krb5.New(krb5.Options{}) is enough. Here
// the files are those of a KDC for tests.
func ExampleNew() {
	kdc := example()
	defer kdc.Close()
	p, err := krb5.New(krb5.Options{
		Config: kdc.ConfigPath(),
		CCache: kdc.CCache("alice"),
		Keytab: kdc.Keytab("HTTP/web.krb.test"),
	})
	if err != nil {
		log.Fatal(err)
	}
	if err := greet(p, nil, nil); err != nil {
		log.Fatal(err)
	}
	// Output: Hello, alice@KRB.TEST
}

func ExampleProvider_FromPassword() {
	kdc := example()
	defer kdc.Close()
	p, err := krb5.New(krb5.Options{Config: kdc.ConfigPath(), Keytab: kdc.Keytab("HTTP/web.krb.test")})
	if err != nil {
		log.Fatal(err)
	}
	alice, err := p.FromPassword("alice", "secret")
	if err != nil {
		log.Fatal(err)
	}
	defer alice.Close()
	if err := greet(p, alice, nil); err != nil {
		log.Fatal(err)
	}
	mistaken, err := p.FromPassword("alice", "Secret")
	if err != nil {
		log.Fatal(err)
	}
	defer mistaken.Close()
	fmt.Println(greet(p, mistaken, nil))
	// Output:
	// Hello, alice@KRB.TEST
	// acquire (krb5): defective credential: cannot log in as alice@KRB.TEST with the password: the password or key is wrong (KDC_ERR_PREAUTH_FAILED); check the password
}

// A service logs in with its key to be a client of other services.
func ExampleProvider_FromKeytab() {
	kdc := example()
	defer kdc.Close()
	kdc.AddService("robot/batch.krb.test")
	p, err := krb5.New(krb5.Options{Config: kdc.ConfigPath(), Keytab: kdc.Keytab("HTTP/web.krb.test")})
	if err != nil {
		log.Fatal(err)
	}
	robot, err := p.FromKeytab("robot/batch.krb.test", kdc.Keytab("robot/batch.krb.test"))
	if err != nil {
		log.Fatal(err)
	}
	defer robot.Close()
	if err := greet(p, robot, nil); err != nil {
		log.Fatal(err)
	}
	// Output: Hello, robot/batch.krb.test@KRB.TEST
}

// The credential follows the cache. Resolved, it stands for one user for good.
func ExampleProvider_FromCCache() {
	kdc := example()
	defer kdc.Close()
	kdc.AddPrincipal("bob", "secret")
	p, err := krb5.New(krb5.Options{Config: kdc.ConfigPath(), Keytab: kdc.Keytab("HTTP/web.krb.test")})
	if err != nil {
		log.Fatal(err)
	}
	path := kdc.CCache("alice")
	cred, err := p.FromCCache("FILE:" + path)
	if err != nil {
		log.Fatal(err)
	}
	defer cred.Close()
	resolved, err := cred.(gss.Resolver).Resolve(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	kdc.WriteCCache(path, "bob") // kinit bob
	for _, c := range []gss.Credential{cred, resolved} {
		if err := greet(p, c, nil); err != nil {
			log.Fatal(err)
		}
	}
	// Output:
	// Hello, bob@KRB.TEST
	// Hello, alice@KRB.TEST
}

func ExampleProvider_AcceptorFromKeytab() {
	kdc := example()
	defer kdc.Close()
	p, err := krb5.New(krb5.Options{Config: kdc.ConfigPath(), CCache: kdc.CCache("alice")})
	if err != nil {
		log.Fatal(err)
	}
	service, err := p.AcceptorFromKeytab(kdc.Keytab("HTTP/web.krb.test"))
	if err != nil {
		log.Fatal(err)
	}
	defer service.Close()
	if err := greet(p, nil, service); err != nil {
		log.Fatal(err)
	}
	// Output: Hello, alice@KRB.TEST
}
