package negotiate_test

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/go-negotiate/negotiate"
	"github.com/go-negotiate/negotiate/gss"
	"github.com/go-negotiate/negotiate/krb5"
	"github.com/go-negotiate/negotiate/krbtest"
)

// record is a record of the log.
type record map[string]any

// records are those of a logger, in their order.
func (s *secrets) records(t *testing.T, logger string) []record {
	t.Helper()
	var out []record
	for line := range strings.Lines(s.written()) {
		var r record
		if strings.HasPrefix(line, "{") && json.Unmarshal([]byte(line), &r) == nil && r["logger"] == logger {
			out = append(out, r)
		}
	}
	return out
}

// having are the records with the message and all the attributes.
func having(records []record, msg string, attrs record) []record {
	var out []record
	for _, r := range records {
		ok := r["msg"] == msg
		for name, want := range attrs {
			ok = ok && r[name] == want
		}
		if ok {
			out = append(out, r)
		}
	}
	return out
}

// TestLogTellsOfTheExchange reads from the log what one would else look for in
// a packet capture.
func TestLogTellsOfTheExchange(t *testing.T) {
	negotiate.LeavesNothing(t)
	w := newWorld(t)
	s := w.serve(w.handler(greet))
	url := s.url + "/page"
	tr := &negotiate.Transport{Mutual: negotiate.MutualRequired, Delegation: negotiate.DelegateAlways}
	tr.Provider = w.user("alice", krbtest.WithTicket("HTTP/"+wwwHost)) // whose session key is known, and looked for
	w.get(w.client(tr), url+"?secret=of-another-kind")

	log := w.secrets.records(t, "negotiate")
	first := having(log, "leg", record{"leg": 1.0, "method": "GET", "url": url, "token": 0.0, "status": 401.0, "negotiate": true, "answer": 0.0})
	second := having(log, "leg", record{"leg": 2.0, "url": url, "status": 200.0, "negotiate": true})
	if len(first) != 1 || len(second) != 1 {
		t.Fatalf("the log tells of the legs %v and %v, want one record each, among\n%v", first, second, log)
	}
	if second[0]["token"] != float64(len(s.requests()[1].token)) || second[0]["answer"].(float64) == 0 {
		t.Errorf("of the second leg it tells %v, want the lengths of both tokens", second[0])
	}
	if got := having(log, "response", record{"url": url, "status": 200.0, "legs": 2.0, "mutual": true}); len(got) != 1 {
		t.Errorf("it does not tell of the response: %v", log)
	}
	if strings.Contains(w.secrets.written(), "of-another-kind") {
		t.Error("it shows the URL's query")
	}

	log = w.secrets.records(t, "negotiate.gss")
	wants := gss.FlagDelegate | gss.FlagMutual | gss.FlagIntegrity
	if got := having(log, "context", record{"target": "HTTP@" + wwwHost, "provider": "krb5", "mechanism": "SPNEGO",
		"initiator": alice, "flags": wants.String(), "channel_bound": false}); len(got) != 1 {
		t.Errorf("it does not tell what context was asked for: %v", log)
	}
	ticket := having(log, "using a ticket", record{"client": alice, "service": "HTTP/" + wwwHost + "@KRB.TEST"})
	if len(ticket) != 1 || ticket[0]["expires"] == nil || ticket[0]["ticket_key"] != "aes256-cts-hmac-sha1-96" || ticket[0]["kvno"] != 1.0 || ticket[0]["flags"] == "" {
		t.Errorf("it does not tell of the ticket: %v", log)
	}
	done := having(log, "step", record{"done": true, "initiator": alice, "acceptor": "HTTP/" + wwwHost + "@KRB.TEST", "mechanism": "krb5"})
	if len(done) != 1 || !strings.Contains(done[0]["flags"].(string), "delegate|mutual") {
		t.Errorf("it does not tell what the context has: %v", log)
	}
	if got := having(log, "got a ticket", record{"service": "krbtgt/KRB.TEST@KRB.TEST"}); len(got) != 1 {
		t.Errorf("it does not tell of the forwarded ticket: %v", log)
	}
}

// TestLogTellsOfTheRefusal has the server's reason in the log, on both sides.
func TestLogTellsOfTheRefusal(t *testing.T) {
	negotiate.LeavesNothing(t)
	w := newWorld(t)
	s := w.serve(&negotiate.Handler{Next: http.HandlerFunc(greet), Provider: w.acceptorAt(20*time.Minute, "HTTP/"+wwwHost), Logger: w.secrets.logger()})
	w.get(w.client(&negotiate.Transport{}), s.url)
	log := w.secrets.records(t, "negotiate")
	var client, server int
	for _, r := range log {
		switch {
		case r["msg"] == "token refused" && strings.Contains(r["reason"].(string), "KRB_AP_ERR_SKEW"):
			client++
		case r["msg"] == "refused" && strings.Contains(r["err"].(string), "clock"):
			server++
		}
	}
	if client != 2 || server != 2 {
		t.Errorf("of two refusals the client's log tells %d times why, the server's %d times: %v", client, server, log)
	}
}

// TestLogOfWithheldResponse tells why an error is returned instead of a response.
func TestLogOfWithheldResponse(t *testing.T) {
	negotiate.LeavesNothing(t)
	w := newWorld(t)
	s := w.serve(newMutualPeer(w))
	_, err := w.send(w.client(&negotiate.Transport{Mutual: negotiate.MutualRequired}), w.request("GET", s.url+"/?status=200&proof=accept-completed", nil))
	wantMutualError(t, err)
	log := w.secrets.records(t, "negotiate")
	got := having(log, "response withheld", nil)
	if len(got) != 1 || got[0]["level"] != "WARN" || !strings.Contains(got[0]["error"].(string), "accept-completed") {
		t.Errorf("the log tells %v", log)
	}
}

// TestLogIsSilentByDefault leaves slog.Default alone.
func TestLogIsSilentByDefault(t *testing.T) {
	negotiate.LeavesNothing(t)
	w := newWorld(t)
	s := w.serve(w.handler(greet))
	usual := slog.Default()
	t.Cleanup(func() { slog.SetDefault(usual) })
	var log lockedBuffer
	slog.SetDefault(slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})))
	tr := &negotiate.Transport{Base: w.base, Provider: w.KDC.Provider("alice"), Mutual: negotiate.MutualRequired}
	resp, err := clientOf(t, tr).Get(s.url)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if got := log.String(); got != "" {
		t.Errorf("a Transport without Logger has logged %s", got)
	}
}

// TestSecretsOfEveryForm sends each kind of secret through the module: tokens
// that are refused, keys of tickets and keytabs, passwords that are wrong.
func TestSecretsOfEveryForm(t *testing.T) {
	negotiate.LeavesNothing(t)
	w := newWorld(t)
	keytab := w.Keytab("bob", "HTTP/"+wwwHost)
	w.secretKeytab(keytab)
	p := w.provider(krb5.Options{Keytab: "FILE:" + keytab})
	s := w.serve(&negotiate.Handler{Next: http.HandlerFunc(greet), Provider: p, Logger: w.secrets.logger()})
	byPassword, err := p.FromPassword("bob", bobPassword)
	if err != nil {
		t.Fatal(err)
	}
	byWrongPassword, err := p.FromPassword("bob", "a wrong password, but a password")
	if err != nil {
		t.Fatal(err)
	}
	w.secrets.addWord("a wrong password, but a password")
	byKeytab, err := p.FromKeytab("bob", "FILE:"+keytab)
	if err != nil {
		t.Fatal(err)
	}
	for _, cred := range []gss.Credential{byPassword, byWrongPassword, byKeytab} {
		c := w.client(&negotiate.Transport{Provider: p, Credential: cred, Mutual: negotiate.MutualRequired, Delegation: negotiate.DelegateAlways})
		w.get(c, s.url)
		w.secrets.note(cred, c.Transport.(*negotiate.Transport).Provider.String())
	}
	w.secrets.note(gss.CredentialOptions{Name: gss.User(bob), Password: bobPassword}, &gss.CredentialOptions{Password: bobPassword})
	// A token of somebody else's, garbage and a replay.
	token := s.requests()[1].token
	for _, bad := range [][]byte{token, token[:len(token)/2], append([]byte{0x60}, token...)} {
		req := w.request("GET", s.url, nil)
		req.Header.Set("Authorization", bearing(bad))
		w.secrets.add(bad)
		if got, err := w.send(w.client(&negotiate.Transport{}), req); err != nil || got.StatusCode != 401 {
			t.Errorf("got %v, %v for a bad token", got, err)
		}
	}
}
