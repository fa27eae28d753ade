//go:build interop

package interop_test

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/go-negotiate/negotiate/internal/leaktest"
)

func writeFile(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func serve(t *testing.T, h http.Handler) string {
	s := httptest.NewUnstartedServer(h)
	conns := leaktest.CountConns(s.Config)
	s.Start()
	t.Cleanup(s.Close)
	t.Cleanup(func() { conns.WantNone(t) }) // after its clients have given up
	return s.URL
}

// silentKDC returns a krb5.conf whose KDC takes each request and answers none,
// and a channel that is closed when it has taken one.
func silentKDC(t *testing.T) (conf string, asked <-chan struct{}) {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	got := make(chan struct{})
	done := make(chan struct{})
	go func() {
		defer close(done)
		buf := make([]byte, 1<<16)
		for n := 0; ; n++ {
			if _, _, err := conn.ReadFrom(buf); err != nil {
				return
			}
			if n == 0 {
				close(got)
			}
		}
	}()
	t.Cleanup(func() { conn.Close(); <-done })
	return writeFile(t, "krb5.conf", fmt.Sprintf(`[libdefaults]
 default_realm = BED.TEST
 dns_lookup_kdc = false
 kdc_timeout = 1h
 request_timeout = 1h
[realms]
 BED.TEST = {
  kdc = udp/%s
 }
`, conn.LocalAddr())), got
}
