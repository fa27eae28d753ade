//go:build interop

package libgssapi_test

import (
	"errors"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/go-negotiate/negotiate/gss"
	"github.com/go-negotiate/negotiate/interop"
	"github.com/go-negotiate/negotiate/krb5"
	"github.com/go-negotiate/negotiate/libgssapi"
)

// benchmarkEach measures package krb5 in this process and each library in a child,
// which measures itself.
func benchmarkEach(b *testing.B, f func(b *testing.B, p gss.Provider)) {
	if os.Getenv(childVariable) != "" {
		p, err := libgssapi.Load("")
		if err != nil {
			b.Fatal(err)
		}
		f(b, p)
		return
	}
	bed := interop.Shared(b)
	keytab := bed.KDC.ServiceKeytab(b, "HTTP/"+testHost)
	b.Run("krb5", func(b *testing.B) {
		p, err := krb5.New(krb5.Options{Config: bed.KDC.Config, CCache: bed.Alice(b), Keytab: keytab})
		if err != nil {
			b.Fatal(err)
		}
		f(b, p)
	})
	for _, flavour := range flavours {
		b.Run("libgssapi-"+flavour.name, func(b *testing.B) {
			ns := benchmarkChild(b, append(childEnv(b, bed, flavour, keytab), "KRB5RCACHENAME=none:", "GLIBC_TUNABLES="))
			for b.Loop() {
			}
			b.ReportMetric(ns, "ns/op")
		})
	}
}

// benchmarkSSPI has a program of Windows measure itself under Wine.
func benchmarkSSPI(b *testing.B) {
	bed, wine := interop.Shared(b), interop.NewWine(b)
	exe := wine.Build(b, "test", "-c", "-tags", "interop", "../sspi")
	env := append(bed.KDC.Env(bed.Alice(b)), "SSPI_HOST="+testHost)
	out, errs, status := wine.Run(b, env, exe, "-test.run=^$", "-test.bench=^BenchmarkInitiate$")
	ns, err := nsPerOp([]byte(out))
	if err != nil || status != 0 {
		b.Fatalf("under Wine: exit status %d, %v\n%s%s", status, err, out, errs)
	}
	for b.Loop() {
	}
	b.ReportMetric(ns, "ns/op")
}

var nanoseconds = regexp.MustCompile(`([0-9.]+) ns/op`)

func benchmarkChild(b *testing.B, env []string) float64 {
	b.Helper()
	name, _, _ := strings.Cut(b.Name(), "/")
	cmd := exec.CommandContext(b.Context(), os.Args[0], "-test.run=^$", "-test.bench=^"+name+"$")
	cmd.Env = env
	out, err := cmd.CombinedOutput()
	if err != nil {
		b.Fatalf("the child: %v\n%s", err, out)
	}
	ns, err := nsPerOp(out)
	if err != nil {
		b.Fatalf("the child: %v\n%s", err, out)
	}
	return ns
}

// nsPerOp reads what a benchmark prints.
func nsPerOp(out []byte) (float64, error) {
	m := nanoseconds.FindSubmatch(out)
	if m == nil {
		return 0, errors.New("it prints no time")
	}
	return strconv.ParseFloat(string(m[1]), 64)
}

// BenchmarkInitiate makes the first token of a mutual context, with a service
// ticket from the cache.
func BenchmarkInitiate(b *testing.B) {
	benchmarkEach(b, func(b *testing.B, p gss.Provider) {
		cred, err := p.Acquire(b.Context(), gss.CredentialOptions{})
		if err != nil {
			b.Fatal(err)
		}
		defer cred.Close()
		for b.Loop() {
			initiate(b, p, cred).Close()
		}
	})
	if os.Getenv(childVariable) == "" {
		b.Run("sspi-Wine", benchmarkSSPI)
	}
}

// BenchmarkBoth is a mutual context of both sides, three steps.
func BenchmarkBoth(b *testing.B) {
	benchmarkEach(b, func(b *testing.B, p gss.Provider) {
		cred, err := p.Acquire(b.Context(), gss.CredentialOptions{})
		if err != nil {
			b.Fatal(err)
		}
		defer cred.Close()
		acceptor, err := p.Acquire(b.Context(), gss.CredentialOptions{Usage: gss.UsageAccept, Keytab: os.Getenv("TEST_KEYTAB")})
		if err != nil {
			b.Fatal(err)
		}
		defer acceptor.Close()
		for b.Loop() {
			establish(b, p, gss.MechSPNEGO, cred, acceptor, gss.FlagMutual)
		}
	})
}

func initiate(b *testing.B, p gss.Provider, cred gss.Credential) gss.SecContext {
	b.Helper()
	sc, err := p.Initiate(b.Context(), gss.InitiateOptions{Credential: cred, Target: gss.HostBased("HTTP", testHost), Flags: gss.FlagMutual})
	if err != nil {
		b.Fatal(err)
	}
	if _, _, err := sc.Step(b.Context(), nil); err != nil {
		b.Fatal(err)
	}
	return sc
}
