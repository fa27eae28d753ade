//go:build interop

package interop

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"testing"
	"time"
)

// KinitOptions say who logs in and what for.
type KinitOptions struct {
	// Principal is who: "alice", also with a realm.
	Principal string
	// Password or Keytab, a path, is how.
	Password, Keytab string
	// Forwardable asks for a ticket that can be delegated.
	Forwardable bool
	// Lifetime and Renewable are asked for if positive, in full seconds.
	Lifetime, Renewable time.Duration
	// Config is the krb5.conf to use; empty takes the realm's.
	Config string
	// CCache is where the ticket goes, as "FILE:/path"; empty takes a new file.
	CCache string
	// Default leaves it to kinit and Config where the ticket goes. In a collection
	// that is the principal's own cache, which becomes the primary.
	Default bool
}

// Kinit logs in with MIT's kinit and returns the credential cache's name, as
// "FILE:/path".
func (m *MIT) Kinit(tb testing.TB, o KinitOptions) (ccache string) {
	tb.Helper()
	ccache, err := m.kinit(tb.Context(), o)
	if err != nil {
		tb.Fatal(err)
	}
	return ccache
}

func (m *MIT) kinit(ctx context.Context, o KinitOptions) (string, error) {
	kinit, err := need("kinit", "krb5-user")
	if err != nil {
		return "", err
	}
	ccache := cmp.Or(o.CCache, "FILE:"+m.newFile("ccache-", ""))
	args := []string{"-c", ccache}
	if o.Default {
		ccache, args = "", nil
	}
	if o.Forwardable {
		args = append(args, "-f")
	} else {
		args = append(args, "-F")
	}
	if o.Lifetime > 0 {
		args = append(args, "-l", fmt.Sprintf("%ds", int64(o.Lifetime.Seconds())))
	}
	if o.Renewable > 0 {
		args = append(args, "-r", fmt.Sprintf("%ds", int64(o.Renewable.Seconds())))
	}
	if o.Keytab != "" {
		args = append(args, "-k", "-t", o.Keytab)
	}
	_, err = command{
		path: kinit, args: append(args, o.Principal), stdin: o.Password + "\n",
		env: append(m.Env(ccache), "KRB5_CONFIG="+cmp.Or(o.Config, m.Config)),
	}.run(ctx)
	if err != nil {
		return "", fmt.Errorf("interop: %w", err)
	}
	return ccache, nil
}

// ExpiredCCache returns a credential cache whose tickets ended an hour ago.
func (m *MIT) ExpiredCCache(tb testing.TB, o KinitOptions) (ccache string) {
	tb.Helper()
	ccache = m.Kinit(tb, o)
	Expire(tb, ccache)
	return ccache
}

// Expire rewrites a credential cache, so that its tickets ended an hour ago.
func Expire(tb testing.TB, ccache string) {
	tb.Helper()
	path, ok := strings.CutPrefix(ccache, "FILE:")
	if !ok {
		tb.Fatalf("interop: %s: only caches of type FILE can be made to expire", ccache)
	}
	if err := endCCache(path, time.Now().Add(-time.Hour)); err != nil {
		tb.Fatal(err)
	}
}

// Klist is what MIT's klist says of a credential cache, with the tickets'
// flags and key types.
func (m *MIT) Klist(tb testing.TB, ccache string) string {
	tb.Helper()
	klist, err := need("klist", "krb5-user")
	if err != nil {
		tb.Fatal(err)
	}
	out, err := command{path: klist, args: []string{"-f", "-e", "-c", ccache}, env: m.Env(ccache)}.run(tb.Context())
	if err != nil {
		tb.Fatal(err)
	}
	return out
}

// Kvno gets a service ticket into a credential cache with MIT's kvno, so that
// a client finds it there.
func (m *MIT) Kvno(tb testing.TB, ccache string, args ...string) string {
	tb.Helper()
	kvno, err := need("kvno", "krb5-user")
	if err != nil {
		tb.Fatal(err)
	}
	out, err := command{path: kvno, args: args, env: m.Env(ccache)}.run(tb.Context())
	if err != nil {
		tb.Fatal(err)
	}
	return out
}

// Tool runs one of MIT's programs, such as klist or kswitch, with a krb5.conf and
// that one's default credential cache, and returns what it printed.
func (m *MIT) Tool(tb testing.TB, config, name string, args ...string) string {
	tb.Helper()
	path, err := need(name, "krb5-user")
	if err != nil {
		tb.Fatal(err)
	}
	out, err := command{path: path, args: args, env: cleanEnv("KRB5_CONFIG=" + config)}.run(tb.Context())
	if err != nil {
		tb.Fatal(err)
	}
	return out
}
