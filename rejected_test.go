package negotiate_test

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-negotiate/negotiate"
	"github.com/go-negotiate/negotiate/gss"
	"github.com/go-negotiate/negotiate/internal/keytab"
	"github.com/go-negotiate/negotiate/krb5"
	"github.com/go-negotiate/negotiate/krbtest"
)

// The codes of RFC 4120, section 7.5.9, that the tests look for.
const (
	codeUnknownService = 7
	codeTicketExpired  = 32
	codeNotYetValid    = 33
	codeNotUs          = 35
	codeSkew           = 37
	codeModified       = 41
	codeBadKeyVersion  = 44
)

// rejections are the ways in which an authentication fails in the field.
var rejections = []struct {
	name string
	// prepare returns the acceptor, and the client's provider if it is not
	// alice's usual one.
	prepare func(*world) (acceptor, client *krb5.Provider)
	host    string // in the URL, if not wwwHost
	tokens  int    // that the server sees
	stage   string
	is      error
	codes   []uint32
	says    []string
}{
	{
		name: "expired ticket-granting ticket",
		prepare: func(w *world) (_, _ *krb5.Provider) {
			return w.acceptor("HTTP/" + wwwHost), w.user("alice", krbtest.ExpiresIn(-time.Hour))
		},
		tokens: 0, stage: negotiate.StageInitiate, is: gss.ErrCredentialsExpired, says: []string{"expired at", "run kinit"},
	},
	{
		name: "ticket expired by the server's clock",
		prepare: func(w *world) (_, _ *krb5.Provider) {
			return w.acceptorAt(25*time.Hour, "HTTP/"+wwwHost), w.user("alice", krbtest.ExpiresIn(24*time.Hour))
		},
		tokens: 2, stage: negotiate.StageRejected, codes: []uint32{codeTicketExpired},
		says: []string{"HTTP/" + wwwHost + "@KRB.TEST", "the ticket has expired", "its clock says"},
	},
	{
		name: "server's clock behind",
		prepare: func(w *world) (_, _ *krb5.Provider) {
			return w.acceptorAt(-20*time.Minute, "HTTP/"+wwwHost), nil
		},
		tokens: 2, stage: negotiate.StageRejected, codes: []uint32{codeNotYetValid},
		says: []string{"not yet valid", "its clock says", "and ours"},
	},
	{
		name: "server's clock ahead",
		prepare: func(w *world) (_, _ *krb5.Provider) {
			return w.acceptorAt(20*time.Minute, "HTTP/"+wwwHost), nil
		},
		tokens: 2, stage: negotiate.StageRejected, codes: []uint32{codeSkew},
		says: []string{"clocks differ too much", "its clock says", "and ours"},
	},
	{
		name: "rekeyed service with its old keytab",
		prepare: func(w *world) (_, _ *krb5.Provider) {
			acceptor := w.acceptor("HTTP/" + wwwHost)
			w.Rekey("HTTP/"+wwwHost, "")
			return acceptor, nil
		},
		tokens: 2, stage: negotiate.StageRejected, codes: []uint32{codeModified, codeBadKeyVersion},
		says: []string{"HTTP/" + wwwHost + "@KRB.TEST", "keytab", "export"},
	},
	{
		name: "keytab of another service",
		prepare: func(w *world) (_, _ *krb5.Provider) {
			w.AddService("HTTP/other.example.org")
			return w.acceptor("HTTP/other.example.org"), nil
		},
		tokens: 2, stage: negotiate.StageRejected, codes: []uint32{codeNotUs},
		says: []string{"HTTP/" + wwwHost + "@KRB.TEST", "another service", "target"},
	},
	{
		name:    "no such service",
		prepare: func(w *world) (_, _ *krb5.Provider) { return w.acceptor("HTTP/" + wwwHost), nil },
		host:    "nobody.example.org",
		tokens:  0, stage: negotiate.StageInitiate, codes: []uint32{codeUnknownService},
		says: []string{"HTTP/nobody.example.org@KRB.TEST", "does not know the service", "host name in the URL"},
	},
}

// acceptorAt is an acceptor whose clock is wrong.
func (w *world) acceptorAt(off time.Duration, services ...string) *krb5.Provider {
	w.t.Helper()
	path := w.Keytab(services...)
	w.secretKeytab(path)
	return w.provider(krb5.Options{Keytab: "FILE:" + path, Now: func() time.Time { return time.Now().Add(off) }})
}

// TestRejected returns the server's 401 with its body, and says why, after two
// tokens at most.
func TestRejected(t *testing.T) {
	negotiate.LeavesNothing(t)
	for _, r := range rejections {
		for _, m := range []negotiate.Mutual{negotiate.MutualDisabled, negotiate.MutualRequired} {
			for _, o := range []negotiate.Opportunism{negotiate.OpportunisticNever, negotiate.OpportunisticAlways} {
				t.Run(fmt.Sprintf("%s/%s/%s", r.name, m, o), func(t *testing.T) {
					w := newWorld(t)
					acceptor, client := r.prepare(w)
					s := w.serve(&negotiate.Handler{Next: http.HandlerFunc(greet), Provider: acceptor, Logger: w.secrets.logger()})
					tr := &negotiate.Transport{Mutual: m, Opportunistic: o}
					if client != nil {
						tr.Provider = client
					}
					url := s.url
					if r.host != "" {
						url = strings.Replace(url, wwwHost, r.host, 1)
					}
					got := w.get(w.client(tr), url)
					if got.StatusCode != 401 || !strings.HasPrefix(got.body, "401 This server requires") || got.x.Sanitized {
						t.Errorf("got %d %q, want the server's 401", got.StatusCode, got.body)
					}
					if tokens := strings.Count(s.shape(), "+"); tokens != r.tokens {
						t.Errorf("the server saw %s, want %d tokens", s.shape(), r.tokens)
					}
					checkReason(t, got.x.Err, r.stage, r.is, r.codes, r.says)
				})
			}
		}
	}
}

func checkReason(t *testing.T, err error, stage string, is error, codes []uint32, says []string) {
	t.Helper()
	if stageOf(err) != stage || is != nil && !errors.Is(err, is) {
		t.Fatalf("the reason is %v, of stage %q; want stage %q and %v", err, stageOf(err), stage, is)
	}
	if len(codes) > 0 {
		ge, ok := errors.AsType[*gss.Error](err)
		if !ok || !slices.Contains(codes, ge.Minor) {
			t.Errorf("the reason is %+v, want code %v", ge, codes)
		}
	}
	for _, want := range says {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the reason does not say %q: %v", want, err)
		}
	}
}

// TestRejectedThenRepaired has the client recover by itself once the service has
// its new key: the refused ticket is not used again.
func TestRejectedThenRepaired(t *testing.T) {
	negotiate.LeavesNothing(t)
	w := newWorld(t)
	path := w.Keytab("HTTP/" + wwwHost)
	acceptor := w.provider(krb5.Options{Keytab: "FILE:" + path})
	s := w.serve(&negotiate.Handler{Next: http.HandlerFunc(greet), Provider: acceptor, Logger: w.secrets.logger()})
	c := w.client(&negotiate.Transport{Opportunistic: negotiate.OpportunisticLearned})
	w.get(c, s.url)

	// The service gets a new key and loses the old one; the client still has a
	// ticket with the old one.
	w.Rekey("HTTP/"+wwwHost, "")
	renewKeytab(t, w, path)
	s.reset()
	w.ResetRequests()
	got := w.get(c, s.url)
	if got.StatusCode != 200 || got.x.Err != nil || s.shape() != "401+ 200+" {
		t.Errorf("got %d, %v, the server saw %s", got.StatusCode, got.x.Err, s.shape())
	}
	if n := w.Requests().TGS; n != 1 {
		t.Errorf("%d tickets were fetched, want 1", n)
	}
}

// TestForbiddenIdentity is a server that knows the client and does not want it:
// another token would not help.
func TestForbiddenIdentity(t *testing.T) {
	negotiate.LeavesNothing(t)
	for _, m := range []negotiate.Mutual{negotiate.MutualDisabled, negotiate.MutualRequired} {
		w := newWorld(t)
		p, s := w.asking()
		p.answer = func(rw http.ResponseWriter, r *http.Request, reply []byte) {
			rw.Header().Set("WWW-Authenticate", bearing(reply))
			rw.WriteHeader(http.StatusUnauthorized)
			fmt.Fprint(rw, "not you")
		}
		got := w.get(w.client(&negotiate.Transport{Mutual: m}), s.url)
		if got.StatusCode != 401 || got.body != "not you" || s.shape() != "401 401+" || stageOf(got.x.Err) != negotiate.StageRejected {
			t.Errorf("%s: got %d %q, %v, the server saw %s", m, got.StatusCode, got.body, got.x.Err, s.shape())
		}
		if got.x.Err != nil && !strings.Contains(got.x.Err.Error(), "permission") {
			t.Errorf("%s: the reason is %v", m, got.x.Err)
		}
	}
}

// renewKeytab leaves the service's newest keys in a keytab only.
func renewKeytab(t *testing.T, w *world, path string) {
	t.Helper()
	w.WriteKeytab(path, "HTTP/"+wwwHost)
	k, _, err := keytab.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var newest uint32
	for _, e := range k.Entries {
		newest = max(newest, e.KVNO)
	}
	k.Entries = slices.DeleteFunc(k.Entries, func(e keytab.Entry) bool { return e.KVNO != newest })
	if err := keytab.WriteFile(path, k); err != nil {
		t.Fatal(err)
	}
	w.secretKeytab(path)
}
