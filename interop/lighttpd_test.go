//go:build interop

package interop_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/go-negotiate/negotiate"
	"github.com/go-negotiate/negotiate/interop"
	"github.com/go-negotiate/negotiate/krb5"
)

// TestLighttpd is a server that authenticates the client and never proves itself.
func TestLighttpd(t *testing.T) {
	leavesNothing(t)
	bed := interop.Shared(t)
	server := interop.NewLighttpd(t, interop.LighttpdOptions{KDC: bed.KDC})
	provider, err := krb5.New(krb5.Options{Config: bed.KDC.Config, CCache: bed.Alice(t)})
	if err != nil {
		t.Fatal(err)
	}
	const required = negotiate.MutualRequired
	for _, tt := range []struct {
		mutual negotiate.Mutual
		keep   bool
		path   string
		status int // 0: a MutualAuthenticationError
		body   string
	}{
		{negotiate.MutualDisabled, false, "/page.txt", 200, interop.LighttpdPage},
		{negotiate.MutualOptional, false, "/page.txt", 200, interop.LighttpdPage},
		{required, false, "/page.txt", 0, ""},
		{required, true, "/page.txt", 0, ""},
		{negotiate.MutualOptional, false, "/missing", 404, "Not Found"},
		{required, true, "/missing", 404, "Not Found"},
		{required, false, "/missing", 404, ""},
	} {
		for _, o := range []negotiate.Opportunism{negotiate.OpportunisticNever, negotiate.OpportunisticAlways} {
			t.Run(fmt.Sprintf("%s/keep=%t/%s/%s", tt.mutual, tt.keep, tt.path, o), func(t *testing.T) {
				tr := &negotiate.Transport{
					Base: interop.Transport(bed.Apache.Certificate), Provider: provider,
					Mutual: tt.mutual, KeepUnverifiedErrors: tt.keep, Opportunistic: o,
				}
				defer tr.CloseIdleConnections()
				resp, err := (&http.Client{Transport: tr}).Get(server.HTTP + tt.path)
				if tt.status == 0 {
					me, ok := errors.AsType[*negotiate.MutualAuthenticationError](err)
					if !ok || me.Status != 200 || !strings.Contains(me.Reason, "sent no proof of its identity") {
						t.Errorf("got %v, %v; want an error that the server has sent no proof", resp, err)
					}
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				defer resp.Body.Close()
				body, err := io.ReadAll(resp.Body)
				if err != nil {
					t.Fatal(err)
				}
				emptied := tt.body == ""
				if resp.StatusCode != tt.status || !strings.Contains(string(body), tt.body) || emptied != (len(body) == 0) {
					t.Errorf("got %s with %q, want %d with %q", resp.Status, body, tt.status, tt.body)
				}
				x, _ := negotiate.ExchangeFrom(resp)
				if x.Err != nil || x.MutualVerified || x.Sanitized != emptied || x.Opportunistic != (o == negotiate.OpportunisticAlways) {
					t.Errorf("the Exchange has %+v", x)
				}
			})
		}
	}
}
