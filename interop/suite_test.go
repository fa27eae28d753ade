//go:build interop

package interop_test

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-negotiate/negotiate"
	"github.com/go-negotiate/negotiate/gss"
	"github.com/go-negotiate/negotiate/internal/krbmsg"
	"github.com/go-negotiate/negotiate/interop"
	"github.com/go-negotiate/negotiate/krb5"
)

// suitePassword is that of every user of a realm under test. Samba wants it
// complicated.
const suitePassword = "Complicated.password1"

// suiteRealm is a realm that the client suite runs in, whoever makes the KDC. It
// has the user alice, and services HTTP/NAME.domain for the names web, trusted
// (OK-AS-DELEGATE), second, and one for each key of enctypes.
type suiteRealm struct {
	realm  string // its name; the domain is that in lower case
	hosts  string // the domain of its services, where they are of another realm
	config string
	addr   string // of the KDC
	// kinit logs in with a program of the KDC's own makers, where there is one.
	kinit func(t *testing.T, user, password string) (ccache string)
	// keytab returns a keytab with the keys of a user or a service.
	keytab func(t *testing.T, principal string) string
	// enctypes are the types that the KDC has, each with a service of that type.
	enctypes map[string]string
}

func (r *suiteRealm) domain() string { return cmp.Or(r.hosts, strings.ToLower(r.realm)) }

func (r *suiteRealm) spn(name string) string { return "HTTP/" + name + "." + r.domain() }

// provider returns a provider of the realm; the options' Config and CCache have
// defaults.
func (r *suiteRealm) provider(t *testing.T, o krb5.Options) *krb5.Provider {
	t.Helper()
	if o.Config == "" {
		o.Config = r.config
	}
	if o.CCache == "" {
		o.CCache = "FILE:" + filepath.Join(t.TempDir(), "none")
	}
	p, err := krb5.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// settings writes the realm's krb5.conf once more, with what is to be replaced.
func (r *suiteRealm) settings(t *testing.T, replacements ...string) string {
	t.Helper()
	conf, err := os.ReadFile(r.config)
	if err != nil {
		t.Fatal(err)
	}
	return writeFile(t, "krb5.conf", strings.NewReplacer(replacements...).Replace(string(conf)))
}

// serve starts a server of this module for a service, and returns its URL and a
// transport for clients.
func (r *suiteRealm) serve(t *testing.T, name string, next http.HandlerFunc) (url string, target negotiate.TargetFunc) {
	t.Helper()
	if next == nil {
		next = tellPrincipal
	}
	p := r.provider(t, krb5.Options{Keytab: r.keytab(t, r.spn(name))})
	return serve(t, &negotiate.Handler{Provider: p, Next: next}), negotiate.FixedTarget(gss.HostBased("HTTP", name+"."+r.domain()))
}

func tellPrincipal(w http.ResponseWriter, r *http.Request) {
	id, _ := negotiate.IdentityFrom(r.Context())
	io.WriteString(w, id.Principal)
}

// getAs gets a page with mutual authentication, and returns its body, or why
// there is none.
func getAs(t *testing.T, tr *negotiate.Transport, url string) (string, error) {
	t.Helper()
	tr.Mutual = negotiate.MutualRequired
	t.Cleanup(tr.CloseIdleConnections)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := tr.RoundTrip(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if x, ok := negotiate.ExchangeFrom(resp); ok && x.Err != nil {
		return "", x.Err
	} else if resp.StatusCode == http.StatusOK && (!ok || !x.MutualVerified) {
		t.Errorf("the server has not proved itself: %+v", x)
	}
	return string(body), nil
}

// wantPage asserts that alice gets the page.
func (r *suiteRealm) wantPage(t *testing.T, tr *negotiate.Transport, url string) {
	t.Helper()
	got, err := getAs(t, tr, url)
	if want := "alice@" + r.realm; err != nil || got != want {
		t.Errorf("got %q, %v; want %q", got, err, want)
	}
}

// wantFailure asserts that the page cannot be had, for that reason, and says so.
func wantFailure(t *testing.T, tr *negotiate.Transport, url string, kind error, parts ...string) {
	t.Helper()
	got, err := getAs(t, tr, url)
	if err == nil {
		t.Fatalf("got %q, want a failure", got)
	}
	if !errors.Is(err, kind) {
		t.Errorf("got %v, want %v", err, kind)
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("no %q in %v", part, err)
		}
	}
}

// clientSuite is what a client has to be able to do in each realm.
func clientSuite(t *testing.T, r *suiteRealm) {
	url, target := r.serve(t, "web", nil)
	login := func(t *testing.T, p *krb5.Provider, principal, password string) gss.Credential {
		t.Helper()
		cred, err := p.FromPassword(principal, password)
		if err != nil {
			t.Fatal(err)
		}
		return cred
	}
	t.Run("password", func(t *testing.T) {
		p := r.provider(t, krb5.Options{})
		r.wantPage(t, &negotiate.Transport{Provider: p, Credential: login(t, p, "alice", suitePassword), Target: target}, url)
	})
	t.Run("keytab", func(t *testing.T) {
		p := r.provider(t, krb5.Options{})
		cred, err := p.FromKeytab("alice", r.keytab(t, "alice"))
		if err != nil {
			t.Fatal(err)
		}
		r.wantPage(t, &negotiate.Transport{Provider: p, Credential: cred, Target: target}, url)
	})
	ccache := r.kinit(t, "alice", suitePassword)
	t.Run("cache", func(t *testing.T) {
		r.wantPage(t, &negotiate.Transport{Provider: r.provider(t, krb5.Options{CCache: ccache}), Target: target}, url)
	})
	for enctype, name := range r.enctypes {
		t.Run(enctype, func(t *testing.T) {
			var log bytes.Buffer
			p := r.provider(t, krb5.Options{CCache: ccache, Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))})
			url, target := r.serve(t, name, nil)
			r.wantPage(t, &negotiate.Transport{Provider: p, Target: target}, url)
			if want := "ticket_key=" + enctype; !strings.Contains(log.String(), want) {
				t.Errorf("no %q in\n%s", want, &log)
			}
		})
	}
	for _, network := range []string{"udp", "tcp"} {
		t.Run(network, func(t *testing.T) {
			p := r.provider(t, krb5.Options{Config: r.settings(t, "kdc = "+r.addr, "kdc = "+network+"/"+r.addr)})
			r.wantPage(t, &negotiate.Transport{Provider: p, Credential: login(t, p, "alice", suitePassword), Target: target}, url)
		})
	}
	t.Run("MIT's acceptor", func(t *testing.T) {
		acceptor := interop.NewAcceptor(t, interop.AcceptorOptions{
			Config: r.config, Host: "web." + r.domain(), Keytab: r.keytab(t, r.spn("web")), Bindings: endPoint,
		})
		tr := &negotiate.Transport{Base: interop.Transport(acceptor.Certificate), Provider: r.provider(t, krb5.Options{CCache: ccache}), ChannelBindings: negotiate.BindTLSServerEndPoint}
		if got, err := getAs(t, tr, acceptor.URL); err != nil || got != "alice@"+r.realm+" bound\n" {
			t.Errorf("got %q, %v", got, err)
		}
	})
	t.Run("delegation", func(t *testing.T) { r.delegate(t, ccache) })
	t.Run("wrong password", func(t *testing.T) {
		p := r.provider(t, krb5.Options{})
		wantFailure(t, &negotiate.Transport{Provider: p, Credential: login(t, p, "alice", "Wrong.password1"), Target: target}, url, gss.ErrDefectiveCredential, "alice@"+r.realm, "check the password")
	})
	t.Run("unknown user", func(t *testing.T) {
		p := r.provider(t, krb5.Options{})
		wantFailure(t, &negotiate.Transport{Provider: p, Credential: login(t, p, "nobody-at-all", suitePassword), Target: target}, url, krbmsg.ErrCPrincipalUnknown, "check the name")
	})
	t.Run("unknown service", func(t *testing.T) {
		p := r.provider(t, krb5.Options{CCache: ccache})
		wantFailure(t, &negotiate.Transport{Provider: p, Target: negotiate.FixedTarget(gss.HostBased("HTTP", "unknown."+r.domain()))}, url, krbmsg.ErrSPrincipalUnknown, r.spn("unknown"))
	})
	t.Run("expired", func(t *testing.T) {
		o := krb5.Options{CCache: r.kinit(t, "alice", suitePassword)}
		if strings.HasPrefix(o.CCache, "FILE:") {
			interop.Expire(t, o.CCache)
		} else {
			o.Now = func() time.Time { return time.Now().AddDate(1, 0, 0) }
		}
		wantFailure(t, &negotiate.Transport{Provider: r.provider(t, o), Target: target}, url, gss.ErrCredentialsExpired, "run kinit")
	})
}

// delegate has the services web and trusted go on to second with what alice
// delegates.
func (r *suiteRealm) delegate(t *testing.T, ccache string) {
	second, secondTarget := r.serve(t, "second", nil)
	for _, test := range []struct {
		to         string
		delegation negotiate.Delegation
		delegated  bool
	}{
		{"web", negotiate.DelegateAlways, true},
		{"web", negotiate.DelegateIfTrusted, false},
		{"trusted", negotiate.DelegateIfTrusted, true},
		{"trusted", negotiate.DelegateNever, false},
	} {
		onward := r.provider(t, krb5.Options{})
		url, target := r.serve(t, test.to, func(w http.ResponseWriter, req *http.Request) {
			id, _ := negotiate.IdentityFrom(req.Context())
			if id.Delegated == nil {
				io.WriteString(w, "nothing")
				return
			}
			page, err := r.onward(req.Context(), onward, id.Delegated, second, secondTarget)
			if err != nil {
				t.Error(err)
			}
			io.WriteString(w, page)
		})
		want := "nothing"
		if test.delegated {
			want = "alice@" + r.realm
		}
		tr := &negotiate.Transport{Provider: r.provider(t, krb5.Options{CCache: ccache}), Target: target, Delegation: test.delegation}
		if got, err := getAs(t, tr, url); err != nil || got != want {
			t.Errorf("to %s with delegation %s: got %q, %v; want %q", test.to, test.delegation, got, err, want)
		}
	}
}

// onward is a request that a server makes.
func (r *suiteRealm) onward(ctx context.Context, p *krb5.Provider, cred gss.Credential, url string, target negotiate.TargetFunc) (string, error) {
	tr := &negotiate.Transport{Provider: p, Credential: cred, Target: target}
	defer tr.CloseIdleConnections()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	resp, err := tr.RoundTrip(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	if x, ok := negotiate.ExchangeFrom(resp); ok && x.Err != nil {
		return "", x.Err
	}
	body, err := io.ReadAll(resp.Body)
	return string(body), err
}
