//go:build interop

package interop

import (
	"context"
	"fmt"
	"strings"
	"testing"
)

// PrincipalOptions describe a principal. The zero value is one with a random
// key of the realm's usual types.
type PrincipalOptions struct {
	// Password is what its keys are made from; empty makes random ones.
	Password string
	// Enctypes are its key types, such as AES256SHA2; none takes the realm's:
	// AES256SHA1 and AES128SHA1.
	Enctypes []string
	// Attributes are kadmin's, such as "+ok_as_delegate",
	// "-requires_preauth" or "-allow_forwardable".
	Attributes []string
}

// AddPrincipal adds a principal, in the realm unless name says another.
func (m *MIT) AddPrincipal(tb testing.TB, name string, o PrincipalOptions) {
	tb.Helper()
	if err := m.addPrincipal(tb.Context(), name, o); err != nil {
		tb.Fatal(err)
	}
}

// AddService is AddPrincipal for a service, such as "HTTP/web.bed.test", and
// returns the path of a keytab with its keys.
func (m *MIT) AddService(tb testing.TB, spn string, o PrincipalOptions) string {
	tb.Helper()
	keytab, err := m.addService(tb.Context(), spn, o)
	if err != nil {
		tb.Fatal(err)
	}
	return keytab
}

// Keytab writes the keys of principals to a new keytab, without changing them,
// and returns its path. A principal with a password may be among them.
func (m *MIT) Keytab(tb testing.TB, principals ...string) string {
	tb.Helper()
	keytab, err := m.keytab(tb.Context(), principals...)
	if err != nil {
		tb.Fatal(err)
	}
	return keytab
}

// ServiceKeytab is Keytab for a service that is added unless it is there, for
// tests that share a realm and run more than once.
func (m *MIT) ServiceKeytab(tb testing.TB, spn string) string {
	tb.Helper()
	keytab, err := m.serviceKeytab(tb.Context(), spn)
	if err != nil {
		tb.Fatal(err)
	}
	return keytab
}

// Rekey gives a principal new keys of the next version. Tickets made before
// cannot be read with a keytab written after, and the reverse.
func (m *MIT) Rekey(tb testing.TB, principal string) {
	tb.Helper()
	m.Admin(tb, "change_password", "-randkey", principal)
}

// Admin runs one query of kadmin.local, word by word, such as "modprinc",
// "+ok_as_delegate", "HTTP/web.bed.test", and returns what it printed.
func (m *MIT) Admin(tb testing.TB, query ...string) string {
	tb.Helper()
	out, err := m.runAdmin(tb.Context(), query...)
	if err != nil {
		tb.Fatal(err)
	}
	return out
}

func (m *MIT) addPrincipal(ctx context.Context, name string, o PrincipalOptions) error {
	query := []string{"addprinc"}
	if o.Password == "" {
		query = append(query, "-randkey")
	} else {
		query = append(query, "-pw", o.Password)
	}
	if len(o.Enctypes) > 0 {
		query = append(query, "-e", strings.Join(o.Enctypes, ":normal,")+":normal")
	}
	query = append(append(query, o.Attributes...), name)
	_, err := m.runAdmin(ctx, query...)
	return err
}

func (m *MIT) addService(ctx context.Context, spn string, o PrincipalOptions) (keytab string, err error) {
	if err := m.addPrincipal(ctx, spn, o); err != nil {
		return "", err
	}
	return m.keytab(ctx, spn)
}

func (m *MIT) keytab(ctx context.Context, principals ...string) (string, error) {
	keytab := m.newFile("keytab-", "")
	_, err := m.runAdmin(ctx, append([]string{"ktadd", "-norandkey", "-k", keytab}, principals...)...)
	return keytab, err
}

func (m *MIT) serviceKeytab(ctx context.Context, spn string) (string, error) {
	if keytab, err := m.keytab(ctx, spn); err == nil {
		return keytab, nil
	}
	return m.addService(ctx, spn, PrincipalOptions{})
}

// runAdmin looks at what kadmin.local says on standard error, since it exits
// with 0 after some failures.
func (m *MIT) runAdmin(ctx context.Context, query ...string) (string, error) {
	kadmin, err := need("kadmin.local", "krb5-admin-server")
	if err != nil {
		return "", err
	}
	m.admin.Lock()
	defer m.admin.Unlock()
	c := command{path: kadmin, args: append([]string{"-r", m.Realm}, query...), env: m.kdcEnv()}
	out, complaints, err := c.runBoth(ctx)
	if err != nil {
		return "", fmt.Errorf("interop: %w", err)
	}
	for line := range strings.Lines(complaints) {
		if !strings.HasPrefix(line, "No policy specified for ") {
			return "", fmt.Errorf("interop: kadmin.local %s: %s", strings.Join(query, " "), complaints)
		}
	}
	return out, nil
}
