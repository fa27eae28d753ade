package krbtest_test

import (
	"context"
	"fmt"
	"log"
	"strings"

	"github.com/go-negotiate/negotiate/gss"
	"github.com/go-negotiate/negotiate/krb5"
	"github.com/go-negotiate/negotiate/krbtest"
)

// A user of a directory, whose tickets tell the groups.
func ExampleGroups() {
	kdc := krbtest.Start()
	defer kdc.Close()
	kdc.AddPrincipal("alice", "secret", krbtest.Groups(512, 1200))
	kdc.AddService("HTTP/www.krb.test")

	first, err := token(kdc.Provider("alice"), gss.HostBased("HTTP", "www.krb.test"))
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	accepted, err := kdc.Acceptor("HTTP/www.krb.test").Accept(ctx, gss.AcceptOptions{})
	if err != nil {
		log.Fatal(err)
	}
	defer accepted.Close()
	if _, _, err := accepted.Step(ctx, first); err != nil {
		log.Fatal(err)
	}
	pac, err := krb5.PACFrom(accepted.(gss.Authorizer).Authorization())
	if err != nil {
		log.Fatal(err)
	}
	for _, group := range pac.Groups {
		fmt.Println(strings.TrimPrefix(group, kdc.DomainSID()))
	}
	// Output:
	// -513
	// -512
	// -1200
}
