package krb5

import (
	"context"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-negotiate/negotiate/gss"
	"github.com/go-negotiate/negotiate/internal/ccache"
	"github.com/go-negotiate/negotiate/internal/kdcclient"
	"github.com/go-negotiate/negotiate/internal/profile"
	"github.com/go-negotiate/negotiate/internal/readmap"
	"github.com/go-negotiate/negotiate/internal/replay"
	"github.com/go-negotiate/negotiate/internal/spnego"
)

// Options configure a Provider. The zero value behaves as MIT's tools do in the
// same environment.
type Options struct {
	// Config is the krb5.conf to read, or several as in KRB5_CONFIG. Empty takes
	// KRB5_CONFIG, then the system's.
	Config string
	// CCache names the default credential cache, such as "FILE:/tmp/krb5cc_0",
	// "DIR:/run/user/0/krb5cc", "KCM:", "KEYRING:persistent:0" or, for one of this
	// provider's own, "MEMORY:name". Empty takes KRB5CCNAME, then
	// default_ccache_name of krb5.conf, then FILE:/tmp/krb5cc_UID, each time anew.
	CCache string
	// ClientKeytab names the default client keytab. With its keys a client logs in
	// by itself when the default cache is missing, empty or expired. Empty takes
	// KRB5_CLIENT_KTNAME, then default_client_keytab_name, then the system's
	// place, each time anew. There need be none.
	ClientKeytab string
	// StoreTickets has tickets that were fetched written to the credential cache
	// that the ticket-granting ticket came from, as MIT's library does, and those
	// of a login with the client keytab to the default one. Other programs find
	// them there. False keeps them in memory, which leaves the cache alone.
	StoreTickets bool
	// Keytab names the acceptor's default keytab. Empty takes KRB5_KTNAME, then
	// default_keytab_name, then FILE:/etc/krb5.keytab.
	Keytab string
	// Now is the clock; nil is time.Now.
	Now func() time.Time
	// ClockSkew is how far the clocks of clients and KDCs may differ; zero takes
	// clockskew of krb5.conf, which is five minutes unless set.
	ClockSkew time.Duration
	// Dial connects to KDCs, with network "tcp" or "udp", and must return when ctx
	// ends; nil is net.Dialer.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Resolver asks the DNS, for KDCs and where krb5.conf wants names to be
	// canonicalized; nil is net.DefaultResolver.
	Resolver *net.Resolver
	// Logger gets records with the attribute logger=negotiate.gss and never with a
	// secret: about tickets at debug level, and warnings about what could not be
	// honoured. Nil discards them.
	Logger *slog.Logger
	// ReplayCacheSize is how many authenticators the acceptors of the provider
	// remember, those of the last minutes (clockskew in krb5.conf). Zero is
	// 1<<20, some 50 MB when full. When it is full, the oldest are dropped and
	// authenticators as old as those are refused from then on. It is in memory:
	// several processes that share a key each have their own.
	ReplayCacheSize int
}

// Provider is a gss.Provider. It is safe for concurrent use and holds no
// resources that would have to be released.
type Provider struct {
	opts   Options
	conf   *profile.Config
	kdc    kdcclient.Client
	log    *slog.Logger
	env    profile.Environment
	replay *replay.Cache
	// usualCCache is the default credential cache where the environment names none.
	usualCCache string
	// These are the constants, other than in tests.
	replaceTimeout, writeTimeout, settleTime time.Duration

	mu           sync.Mutex                        // held to write what follows
	files        readmap.Map[string, *namedFile]   // credential caches, by the user's name for them
	caches       readmap.Map[string, *cacheEntry]  // by name
	keytabs      readmap.Map[string, *keytabFile]  // by path
	keytabLogins readmap.Map[string, *keytabLogin] // with the client keytab

	memory ccache.Memory
	polls  polls
}

// New reads krb5.conf and returns a provider. The error names the file and line
// that is wrong.
func New(o Options) (*Provider, error) {
	env := profile.ProcessEnvironment()
	prof, err := loadProfile(o.Config, env)
	if err != nil {
		return nil, failure(gss.ErrFailure, "configure", "krb5.conf: %w", err)
	}
	conf, err := profile.NewConfig(prof, env)
	if err != nil {
		return nil, failure(gss.ErrFailure, "configure", "krb5.conf: %w", err)
	}
	return newProvider(o, conf, env), nil
}

func loadProfile(paths string, env profile.Environment) (*profile.Profile, error) {
	if paths == "" {
		return profile.Default(env.Getenv)
	}
	prof, err := profile.Default(func(name string) string {
		if name == "KRB5_CONFIG" {
			return paths
		}
		return env.Getenv(name)
	})
	if missing := prof.Missing(); err == nil && len(missing) > 0 {
		// The program names it, where an environment may be inherited.
		return nil, fmt.Errorf("there is no %s: %w", strings.Join(missing, ", "), fs.ErrNotExist)
	}
	return prof, err
}

func newProvider(o Options, conf *profile.Config, env profile.Environment) *Provider {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Resolver == nil {
		o.Resolver = net.DefaultResolver
	}
	if o.ClockSkew > 0 {
		conf.Clockskew = o.ClockSkew
	}
	p := &Provider{
		opts:   o,
		conf:   conf,
		env:    env,
		log:    slog.New(slog.DiscardHandler),
		replay: replay.New(o.ReplayCacheSize, conf.Clockskew),

		usualCCache:    ccache.DefaultName(conf.DefaultCCacheName, env.UID),
		replaceTimeout: replaceTimeout, writeTimeout: writeTimeout, settleTime: settleTime,
	}
	if o.Logger != nil {
		p.log = o.Logger.With(slog.String("logger", "negotiate.gss"))
	}
	p.kdc = kdcclient.Client{
		Servers: p.servers, Primaries: p.primaries, Memory: new(kdcclient.Memory),
		Dial: o.Dial, TLS: p.proxyTLS, UDPLimit: conf.UDPPreferenceLimit,
		AttemptTimeout: conf.KDCTimeout, Timeout: conf.RequestTimeout, Now: o.Now,
	}
	for _, w := range conf.Warnings {
		p.log.Warn("krb5.conf: " + w)
	}
	return p
}

// String returns "krb5".
func (p *Provider) String() string { return "krb5" }

// Mechanisms returns SPNEGO and krb5.
func (p *Provider) Mechanisms() []gss.OID {
	return []gss.OID{gss.MechSPNEGO, gss.MechKRB5, gss.MechMSKRB5}
}

func (p *Provider) now() time.Time { return p.opts.Now() }

func (p *Provider) skew() time.Duration { return p.conf.Clockskew }

// mechOf checks the mechanism that is asked for; empty is SPNEGO.
func mechOf(op string, oid gss.OID) (gss.OID, error) {
	switch oid {
	case "", gss.MechSPNEGO:
		return gss.MechSPNEGO, nil
	case gss.MechKRB5, gss.MechMSKRB5:
		return oid, nil
	}
	return "", &gss.Error{Major: gss.ErrBadMech, Mech: oid, Op: op, Err: errorText("the krb5 provider has SPNEGO and krb5 only")}
}

type errorText string

func (e errorText) Error() string { return string(e) }

// Acquire returns a credential. For initiating: from a password, a client
// keytab, or else a credential cache. That is read now, and again when its
// tickets have expired; the credential keeps standing for the same principal.
// For accepting: from a keytab, which is read at each context when it has
// changed. UsageBoth is not available. Options that contradict each other are
// refused. Errors are *gss.Error, or the context's.
func (p *Provider) Acquire(ctx context.Context, o gss.CredentialOptions) (gss.Credential, error) {
	if _, err := mechOf("acquire", o.Mechanism); err != nil {
		return nil, err
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if err := checkSources(o); err != nil {
		return nil, err
	}
	switch {
	case o.Usage == gss.UsageAccept:
		c, err := p.acceptorFor(o.Keytab, o.Name)
		if err != nil {
			return nil, err
		}
		return c, nil
	case o.Password != "":
		return p.fromPassword(o.Name, o.Password)
	case o.Keytab != "":
		return p.fromKeytab(o.Name, o.Keytab)
	}
	from, err := p.cacheSource(o.CCache, o.Name)
	if err != nil {
		return nil, err
	}
	l, err := from.login(ctx)
	if err != nil {
		return nil, err
	}
	return newOwnCredential(l), nil
}

// checkSources refuses options of which some would have to be ignored.
func checkSources(o gss.CredentialOptions) error {
	refuse := func(why string) error { return failure(gss.ErrUnavailable, "acquire", "%s", why) }
	switch {
	case o.Usage != gss.UsageAccept && o.Usage != gss.UsageInitiate:
		return refuse("no credential is for initiating and accepting: acquire two")
	case o.Usage == gss.UsageAccept && (o.Password != "" || o.CCache != ""):
		return refuse("a credential for accepting is made from a keytab: leave Password and CCache empty")
	case o.Password != "" && (o.Keytab != "" || o.CCache != ""), o.Keytab != "" && o.CCache != "":
		return refuse("a credential is made from a password, a keytab or a credential cache: give one of Password, Keytab and CCache")
	}
	return nil
}

// Initiate begins a context for Mechanism SPNEGO, which is the default, or
// krb5. Nothing is fetched before the first Step. FlagDelegate forwards the
// ticket-granting ticket if it is forwardable, FlagDelegatePolicy if moreover
// the realm trusts the service (OK-AS-DELEGATE); if it cannot be, the context
// comes about without delegation, and Info and the log tell. FlagAnonymous is
// refused. Lifetime is not used: a context lasts as long as its ticket.
func (p *Provider) Initiate(ctx context.Context, o gss.InitiateOptions) (gss.SecContext, error) {
	mech, err := mechOf("initiate", o.Mechanism)
	if err != nil {
		return nil, err
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if o.Flags.Has(gss.FlagAnonymous) {
		return nil, failure(gss.ErrUnavailable, "initiate", "a context that hides its initiator cannot be made here: leave FlagAnonymous out")
	}
	target, err := p.serviceName("initiate", o.Target)
	if err != nil {
		return nil, err
	}
	in := newInitiator()
	in.p, in.cred, in.oid = p, o.Credential, gss.MechKRB5
	in.target, in.hostBased = target, o.Target.Type == gss.NameHostBased
	in.want, in.bindings = o.Flags, o.ChannelBindings
	if mech == gss.MechSPNEGO {
		return spnego.NewInitiator([]spnego.Mech{{OID: gss.MechKRB5, New: in.begin}}), nil
	}
	in.oid = mech
	return in, nil
}

// Accept begins a context that takes SPNEGO and krb5 tokens, whichever the
// initiator sends.
func (p *Provider) Accept(ctx context.Context, o gss.AcceptOptions) (gss.SecContext, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	ac, err := p.acceptorOf(o.Credential)
	if err != nil {
		return nil, err
	}
	return &dispatcher{p: p, cred: ac, bindings: o.ChannelBindings}, nil
}

// acceptorOf returns the acceptor's credential, nil being the default keytab.
func (p *Provider) acceptorOf(cred gss.Credential) (*acceptorCredential, error) {
	switch c := cred.(type) {
	case nil:
		return p.acceptorFor("", gss.Name{})
	case *acceptorCredential:
		if c.p == p {
			return c, nil
		}
	case *cacheCredential, loginCredential, *ownCredential:
		return nil, failure(gss.ErrDefectiveCredential, "accept", "%s is for initiating: use AcceptorFromKeytab", c)
	}
	return nil, failure(gss.ErrDefectiveCredential, "accept", "the credential (%T) was not made by this provider: use its AcceptorFromKeytab", cred)
}

func (p *Provider) permitted(id int32) bool { return slices.Contains(p.conf.PermittedEnctypes, id) }
