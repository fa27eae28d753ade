//go:build interop

package benchmarks

import (
	_ "embed"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/go-negotiate/negotiate/interop"
)

//go:embed gssapi.py
var gssapiScript string

// BenchmarkLibgssapi is MIT's library, over Python's binding to it, at what
// BenchmarkInitiate, BenchmarkAccept and BenchmarkVerify do. Its replay cache is
// off: it writes a file.
func BenchmarkLibgssapi(b *testing.B) {
	x := newBed(b)
	env := append(os.Environ(), "KRB5_CONFIG="+x.kdc.ConfigPath(), "KRB5CCNAME="+x.kdc.CCache("alice"),
		"KRB5_KTNAME="+x.keytab, "KRB5RCACHENAME=none:")
	b.Run("all", func(b *testing.B) {
		fields := strings.Fields(interop.Python(b, env, gssapiScript, "HTTP@"+host, fmt.Sprint(b.N)))
		for i, unit := range []string{"ns/initiate", "ns/accept", "ns/verify"} {
			b.ReportMetric(must(strconv.ParseFloat(fields[i], 64))(b), unit)
		}
	})
}
