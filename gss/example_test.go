package gss_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"github.com/go-negotiate/negotiate/gss"
	"github.com/go-negotiate/negotiate/gss/gsstest"
)

// Both sides of a context, here with a provider that needs no Kerberos. Any
// other provider is used in the same way.
func Example() {
	ctx := context.Background()
	var provider gss.Provider = gsstest.New(gsstest.Options{Realm: "EXAMPLE.COM"})

	initiator, err := provider.Initiate(ctx, gss.InitiateOptions{
		Target: gss.HostBased("HTTP", "web.example.com"),
		Flags:  gss.FlagMutual,
	})
	if err != nil {
		log.Fatal(err)
	}
	defer initiator.Close()
	acceptor, err := provider.Accept(ctx, gss.AcceptOptions{})
	if err != nil {
		log.Fatal(err)
	}
	defer acceptor.Close()

	var token []byte
	for done := false; !done; {
		// A protocol such as HTTP carries the tokens.
		if token, done, err = initiator.Step(ctx, token); err != nil {
			log.Fatal(err)
		}
		if token == nil {
			break
		}
		if token, _, err = acceptor.Step(ctx, token); err != nil {
			log.Fatal(err)
		}
	}
	fmt.Println("the acceptor has proved itself:", initiator.Info().Flags.Has(gss.FlagMutual))
	fmt.Println("the initiator is:", acceptor.Info().Initiator)
	// Output:
	// the acceptor has proved itself: true
	// the initiator is: alice@EXAMPLE.COM
}

func ExampleParseName() {
	for _, s := range []string{"HTTP@web.example.com", "alice@EXAMPLE.COM", "HTTP/web.example.com@EXAMPLE.COM"} {
		name, err := gss.ParseName(s)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%s: %s\n", name.Type, name)
	}
	// Output:
	// host-based: HTTP@web.example.com
	// user: alice@EXAMPLE.COM
	// principal: HTTP/web.example.com@EXAMPLE.COM
}

func ExampleName_Service() {
	service, host, ok := gss.HostBased("HTTP", "web.example.com").Service()
	fmt.Println(service, host, ok)
	// Output: HTTP web.example.com true
}

func ExampleParseOID() {
	mech, err := gss.ParseOID("1.3.6.1.5.5.2")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(mech == gss.MechSPNEGO, mech.Describe())
	// Output: true SPNEGO
}

func ExampleFlags() {
	flags := gss.FlagMutual | gss.FlagIntegrity
	fmt.Println(flags, flags.Has(gss.FlagMutual), flags.Has(gss.FlagDelegate))
	// Output: mutual|integrity true false
}

func ExampleError() {
	err := fmt.Errorf("GET https://web.example.com/: %w", &gss.Error{
		Major: gss.ErrNoCred,
		Mech:  gss.MechKRB5,
		Op:    "initiate",
		Err:   errors.New("the credential cache is empty: run kinit"),
	})
	if errors.Is(err, gss.ErrNoCred) {
		fmt.Println("log in first:", err)
	}
	// Output: log in first: GET https://web.example.com/: initiate (krb5): no usable credential: the credential cache is empty: run kinit
}

func ExampleMajorOf() {
	err := &gss.Error{Major: gss.ErrContextExpired}
	switch gss.MajorOf(err) {
	case gss.ErrContextExpired, gss.ErrCredentialsExpired:
		fmt.Println("start again")
	case 0:
		fmt.Println("no error")
	}
	// Output: start again
}
