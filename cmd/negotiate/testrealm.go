package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/go-negotiate/negotiate/internal/ccache"
	"github.com/go-negotiate/negotiate/internal/filestamp"
	"github.com/go-negotiate/negotiate/internal/kdc"
	"github.com/go-negotiate/negotiate/internal/keytab"
	"github.com/go-negotiate/negotiate/internal/krbmsg"
	"github.com/go-negotiate/negotiate/internal/principal"
)

// testRealm is a realm with users and services.
type testRealm struct {
	*kdc.Realm
	users, services []string
}

// newTestRealm makes a realm. A principal reads NAME or NAME:PASSWORD.
func newTestRealm(o kdc.Options, principals, services []string) (*testRealm, error) {
	realm, err := kdc.New(o)
	if err != nil {
		return nil, withoutPackage(err)
	}
	r := &testRealm{Realm: realm, services: services}
	for _, p := range principals {
		name, password, _ := strings.Cut(p, ":")
		if err := r.add(name, password); err != nil {
			return nil, err
		}
		r.users = append(r.users, name)
	}
	for _, name := range services {
		if err := r.add(name, ""); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// add adds a principal of the realm. Of another realm, a KDC has only what
// grants tickets across.
func (r *testRealm) add(name, password string) error {
	n, err := principal.Parse(name, r.Name())
	if err != nil {
		return err
	}
	if n.Realm != r.Name() && !n.IsTGS() {
		return fmt.Errorf("%s is not in the realm %s: leave @%s out, or name that realm with --realm", n, r.Name(), n.Realm)
	}
	return withoutPackage(r.Add(kdc.Entry{Name: name, Password: password}))
}

// withoutPackage drops the package's name from what a person reads.
func withoutPackage(err error) error {
	if err == nil {
		return nil
	}
	return errors.New(strings.TrimPrefix(err.Error(), "kdc: "))
}

// variable is one of a process' environment.
type variable struct{ name, value string }

// write puts the realm's files into dir, and returns the variables that name
// them.
func (r *testRealm) write(dir string, server *kdc.Server) ([]variable, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	config := filepath.Join(dir, "krb5.conf")
	if err := filestamp.Replace(config, []byte(kdc.ConfigText(r.Enctypes(), server.Site()))); err != nil {
		return nil, err
	}
	services, err := r.writeKeytab(dir, "service.keytab", r.services)
	if err != nil {
		return nil, err
	}
	users, err := r.writeKeytab(dir, "client.keytab", r.users)
	if err != nil {
		return nil, err
	}
	cache, err := r.CCache(r.users[0], kdc.TicketOptions{Flags: krbmsg.FlagForwardable})
	if err != nil {
		return nil, err
	}
	tickets := filepath.Join(dir, "ccache")
	if err := ccache.WriteFile(tickets, cache); err != nil {
		return nil, err
	}
	return []variable{
		{"KRB5_CONFIG", config},
		{"KRB5_KTNAME", "FILE:" + services},
		{"KRB5_CLIENT_KTNAME", "FILE:" + users},
		{"KRB5CCNAME", "FILE:" + tickets},
	}, nil
}

func (r *testRealm) writeKeytab(dir, name string, principals []string) (path string, err error) {
	keys, err := r.Keytab(principals...)
	if err != nil {
		return "", err
	}
	path = filepath.Join(dir, name)
	return path, keytab.WriteFile(path, keys)
}

// export is the assignment in the language of the system's shell.
func (v variable) export() string {
	if runtime.GOOS == "windows" {
		return fmt.Sprintf("set %s=%s", v.name, v.value)
	}
	return "export " + v.name + "=" + quoted(v.value)
}

// quoted is a word for a POSIX shell.
func quoted(s string) string {
	plain := func(r rune) bool {
		return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("/:._-+@", r)
	}
	if s != "" && !slices.ContainsFunc([]rune(s), func(r rune) bool { return !plain(r) }) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
