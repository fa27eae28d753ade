//go:build interop

package interop_test

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-negotiate/negotiate/gss"
	"github.com/go-negotiate/negotiate/gss/gsstest"
	"github.com/go-negotiate/negotiate/interop"
	"github.com/go-negotiate/negotiate/interop/remote"
)

var update = flag.Bool("update", false, "write the matrix of providers to docs/interop.md")

const matrixHost = "matrix.bed.test"

// side is a provider of the matrix.
type side struct {
	name     string // in the table
	provider func(t *testing.T, m *matrix) gss.Provider
}

// sides are the rows and columns of the matrix.
var sides = []side{
	{"krb5", func(t *testing.T, m *matrix) gss.Provider {
		return remote.Start(t, m.env, m.program, "krb5")
	}},
	{"MIT", func(t *testing.T, m *matrix) gss.Provider {
		return remote.Start(t, append(m.env, "NEGOTIATE_LIBGSSAPI=libgssapi_krb5.so.2"), m.program, "libgssapi")
	}},
	{"Heimdal", func(t *testing.T, m *matrix) gss.Provider {
		env := append(m.env, "NEGOTIATE_LIBGSSAPI=libgssapi.so.3", "LD_LIBRARY_PATH="+interop.HeimdalLibraryPath(t))
		return remote.Start(t, env, m.program, "libgssapi")
	}},
	{"SSPI", func(t *testing.T, m *matrix) gss.Provider {
		wine := interop.NewWine(t)
		exe := wine.Build(t, "build", "-tags", "interop", "./gsspeer")
		// Not the test's context: the process has to outlive it.
		return remote.StartCommand(t, wine.Command(context.Background(), m.env, exe, "sspi"))
	}},
}

// limits are the cells that are not "yes", by what the acceptor or the initiator
// cannot do. The empty initiator or acceptor is any.
var limits = []struct {
	initiator, acceptor, mech, property, result string
}{
	// What Wine does not do. Its acceptors do not know the initiator's name, and
	// package sspi refuses what Wine would ignore or do otherwise than Windows.
	{"", "SSPI", "", "mutual", "unnamed"},
	{"", "SSPI", "", "delegation", "no"},
	{"SSPI", "", "", "bindings equal", "unavailable"},
	{"SSPI", "", "", "bindings different", "unavailable"},
	{"SSPI", "", "", "integrity", "unavailable"},
	{"SSPI", "", "", "confidentiality", "unavailable"},
	{"", "SSPI", "", "bindings equal", "unavailable"},
	{"", "SSPI", "", "bindings different", "unavailable"},
	{"", "SSPI", "", "integrity", "unavailable"},
	{"", "SSPI", "", "confidentiality", "unavailable"},
	// Heimdal 7 compares bindings and does not tell whether there were any.
	{"", "Heimdal", "", "bindings equal", "untold"},
}

// matrix is what all sides share.
type matrix struct {
	program string
	env     []string
}

// TestMatrix has each provider meet each, and holds the table in docs/interop.md.
func TestMatrix(t *testing.T) {
	leavesNothing(t)
	bed := interop.Shared(t)
	keytab := bed.KDC.ServiceKeytab(t, "HTTP/"+matrixHost)
	m := &matrix{program: remote.Build(t, "linux")}
	m.env = append(bed.KDC.Env(bed.Alice(t)), "KRB5_KTNAME=FILE:"+keytab, "KRB5RCACHENAME=file2:"+filepath.Join(t.TempDir(), "rcache"))

	var names []string
	providers := map[string]gss.Provider{}
	for _, s := range sides {
		names = append(names, s.name)
		providers[s.name] = s.provider(t, m)
	}
	var table bytes.Buffer
	for _, name := range names {
		fmt.Fprintf(&table, "%s is `%s`. ", name, providers[name])
	}
	table.WriteString("SSPI runs under Wine 8.\n")
	for _, mech := range []gss.OID{gss.MechSPNEGO, gss.MechKRB5} {
		fmt.Fprintf(&table, "\n### %s\n\n| initiator | acceptor | mutual | delegation | bindings equal | bindings different | integrity | confidentiality | MIC |\n|---|---|---|---|---|---|---|---|---|\n", mech.Describe())
		for _, i := range names {
			for _, a := range names {
				findings := gsstest.Probe(t.Context(), gsstest.Suite{
					Provider: providers[i], AcceptorProvider: providers[a],
					Target: gss.HostBased("HTTP", matrixHost), Principal: alice,
				}, mech)
				fmt.Fprintf(&table, "| %s | %s |", i, a)
				for _, f := range findings {
					fmt.Fprintf(&table, " %s |", f.Result)
					if want := expected(i, a, mech.Describe(), f.Property); f.Result != want {
						t.Errorf("%s: %s to %s: %s: %s (%v), want %s", mech.Describe(), i, a, f.Property, f.Result, f.Err, want)
					}
				}
				table.WriteString("\n")
			}
		}
	}
	t.Logf("\n%s", &table)
	holdTable(t, filepath.Join("..", "docs", "interop.md"), table.String())
}

func expected(initiator, acceptor, mech, property string) string {
	for _, l := range limits {
		if (l.initiator == "" || l.initiator == initiator) && (l.acceptor == "" || l.acceptor == acceptor) &&
			(l.mech == "" || l.mech == mech) && l.property == property {
			return l.result
		}
	}
	return "yes"
}

// holdTable compares what stands between the marks on a page, and writes it with
// -update.
func holdTable(t *testing.T, page, table string) {
	t.Helper()
	const begin, end = "<!-- matrix: go test -tags interop -run TestMatrix ./interop -update -->\n", "<!-- end of matrix -->\n"
	content, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(content), begin)
	old, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("%s has no lines %q and %q", page, begin, end)
	}
	if old == table {
		return
	}
	if !*update {
		t.Errorf("%s has another table: run with -update", page)
		return
	}
	if err := os.WriteFile(page, []byte(before+begin+table+end+after), 0o644); err != nil {
		t.Fatal(err)
	}
}
