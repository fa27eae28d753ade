package negotiate_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/go-negotiate/negotiate"
	"github.com/go-negotiate/negotiate/krb5"
	"github.com/go-negotiate/negotiate/krbtest"
)

// TestHandlerGroups lets in who is in a group of the directory. A user without
// groups logs in all the same, and is told apart.
func TestHandlerGroups(t *testing.T) {
	negotiate.LeavesNothing(t)
	kdc := krbtest.NewKDC(t)
	kdc.AddPrincipal("alice", "alice's password", krbtest.Groups(1200))
	kdc.AddPrincipal("bob", "bob's password", krbtest.Groups(1300))
	kdc.AddPrincipal("carol", "carol's password")
	kdc.AddService("HTTP/127.0.0.1")
	admins := kdc.DomainSID() + "-1200"
	server := httptest.NewServer(&negotiate.Handler{
		Provider: kdc.Acceptor("HTTP/127.0.0.1"),
		Next: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			id, _ := negotiate.IdentityFrom(r.Context())
			pac, err := krb5.PACFrom(id.Authorization)
			switch {
			case errors.Is(err, krb5.ErrNoPAC):
				io.WriteString(w, "no groups")
			case err != nil:
				t.Error(err)
			case !pac.InGroup(admins):
				http.Error(w, "not an administrator", http.StatusForbidden)
			default:
				io.WriteString(w, "welcome "+pac.UPN)
			}
		}),
	})
	t.Cleanup(server.Close)
	for user, want := range map[string]string{"alice": "welcome alice@krb.test", "bob": "not an administrator\n", "carol": "no groups"} {
		tr := &negotiate.Transport{Provider: kdc.Provider(user)}
		t.Cleanup(tr.CloseIdleConnections)
		resp, err := (&http.Client{Transport: tr}).Get(server.URL)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if got := string(body); got != want {
			t.Errorf("%s is answered %q, want %q", user, got, want)
		}
	}
}
