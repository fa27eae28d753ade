package spnego

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/jcmturner/gokrb5/v8/client"

	"github.com/go-negotiate/negotiate/internal/ccache"
	"github.com/go-negotiate/negotiate/internal/principal"
)

// tickets gets service tickets through a client of gokrb5, which also keeps
// them. Goroutines that want the same one wait for one request.
type tickets struct {
	cl          *client.Client
	lookupCNAME func(ctx context.Context, host string) (string, error)
	fetch       func(spn string) (*ticket, error) // asks the client

	mu       sync.Mutex
	requests map[string]*request // by SPN
	known    map[string]string   // the SPNs of hosts that have another name in the realm
}

// maxKnown bounds tickets.known.
const maxKnown = 256

func newTickets(cl *client.Client) *tickets {
	t := &tickets{
		cl:          cl,
		lookupCNAME: net.DefaultResolver.LookupCNAME,
		requests:    make(map[string]*request),
		known:       make(map[string]string),
	}
	t.fetch = t.fetchFromClient
	return t
}

// request is a request for a ticket that goroutines wait for.
type request struct {
	done   chan struct{}
	ticket *ticket
	err    error
}

// ticket is a service's ticket as the content of a credential cache.
type ticket struct {
	server principal.Name
	cache  []byte
}

// forHost returns a ticket for a service on a host: by the name in the URL, and
// where the realm does not know that, by the host's canonical name, unless
// krb5.conf says dns_canonicalize_hostname = false.
func (t *tickets) forHost(ctx context.Context, service, host string) (*ticket, error) {
	spn := service + "/" + host
	t.mu.Lock()
	if other, ok := t.known[spn]; ok {
		t.mu.Unlock()
		return t.get(ctx, other)
	}
	t.mu.Unlock()
	got, err := t.get(ctx, spn)
	if err == nil || !isUnknown(err) || !t.cl.Config.LibDefaults.DNSCanonicalizeHostname {
		return got, err
	}
	canonical, lookupErr := t.lookupCNAME(ctx, host)
	canonical = strings.ToLower(strings.TrimSuffix(canonical, "."))
	if lookupErr != nil || canonical == "" || canonical == host {
		return nil, err
	}
	other := service + "/" + canonical
	if got, err = t.get(ctx, other); err != nil {
		return nil, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.known) >= maxKnown {
		clear(t.known)
	}
	t.known[spn] = other
	return got, nil
}

// isUnknown reports whether the KDC does not know the service. The errors of
// gokrb5 keep the code as text.
func isUnknown(err error) bool {
	return strings.Contains(err.Error(), "KDC_ERR_S_PRINCIPAL_UNKNOWN")
}

// get returns a ticket for an SPN. gokrb5 cannot be interrupted: when ctx ends,
// the request goes on for others, until its own time-outs.
func (t *tickets) get(ctx context.Context, spn string) (*ticket, error) {
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	t.mu.Lock()
	r := t.requests[spn]
	if r == nil {
		r = &request{done: make(chan struct{})}
		t.requests[spn] = r
		go t.run(spn, r)
	}
	t.mu.Unlock()
	select {
	case <-r.done:
		return r.ticket, r.err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

func (t *tickets) run(spn string, r *request) {
	defer close(r.done)
	defer func() {
		if recover() != nil {
			r.ticket, r.err = nil, errors.New("gokrb5's client failed on what the KDC sent")
		}
		t.mu.Lock()
		defer t.mu.Unlock()
		delete(t.requests, spn)
	}()
	r.ticket, r.err = t.fetch(spn)
}

func (t *tickets) fetchFromClient(spn string) (*ticket, error) {
	got, key, err := t.cl.GetServiceTicket(spn) // logs in if need be
	if err != nil {
		return nil, err
	}
	raw, err := got.Marshal()
	if err != nil {
		return nil, err
	}
	owner := clientName(t.cl)
	server := principal.Name{Type: got.SName.NameType, Realm: got.Realm, Components: got.SName.NameString}
	now := time.Now()
	cache := ccache.Cache{Principal: owner, Creds: []ccache.Credential{{
		Client: owner, Server: server, KeyType: key.KeyType, Key: key.KeyValue,
		AuthTime: now, EndTime: now.Add(handedOver), Ticket: raw,
	}}}
	return &ticket{server: server, cache: cache.Marshal()}, nil
}

// handedOver is for how long a ticket counts as valid once it is taken from
// gokrb5, which does not tell its end but returns none that has reached it: long
// enough for the one token that is made with it.
const handedOver = time.Hour

func clientName(cl *client.Client) principal.Name {
	name := cl.Credentials.CName()
	return principal.Name{Type: name.NameType, Realm: cl.Credentials.Domain(), Components: name.NameString}
}
