package gsstest

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/go-negotiate/negotiate/gss"
)

// Finding is what [Probe] has found out about one property of a pair of
// providers.
type Finding struct {
	// Property is "mutual", "delegation", "bindings equal", "bindings different",
	// "integrity", "confidentiality" or "MIC".
	Property string
	// Result is "yes" where the pair does what package gss promises. "unnamed" is a
	// context whose acceptor does not know the initiator's name, "untold" one with
	// equal bindings whose acceptor does not know whether there were any,
	// "unavailable" what a provider refuses to do with gss.ErrUnavailable, and "no"
	// everything else.
	Result string
	// Err is why the result is not "yes"; nil if it is.
	Err error
}

// Probe tries what a pair of providers can do together with a mechanism: each
// property on a context of its own. It is for tables of what works with what; [Run]
// is the test of one provider. Unlike Run it takes a missing property for a
// finding, so that a caller can expect it.
func Probe(ctx context.Context, s Suite, mech gss.OID) []Finding {
	if s.AcceptorProvider == nil {
		s.AcceptorProvider = s.Provider
	}
	a := &gss.ChannelBindings{ApplicationData: []byte("tls-server-end-point:one certificate's hash, 32 bytes")}
	b := &gss.ChannelBindings{ApplicationData: []byte("tls-server-end-point:other certificate's hash 32 byte")}
	mutual := options{mech: mech, flags: gss.FlagMutual}
	delegate := options{mech: mech, flags: gss.FlagMutual | gss.FlagDelegate}
	protect := options{mech: mech, flags: gss.FlagMutual | gss.FlagIntegrity | gss.FlagConfidentiality}
	equal, different := mutual, mutual
	equal.initiatorCB, equal.acceptorCB = a, a
	different.initiatorCB, different.acceptorCB = b, a

	var findings []Finding
	find := func(property string, o options, check func(*pair, error) (string, error)) {
		p, err := s.tryPair(ctx, o)
		result, err := check(p, err)
		if p != nil {
			p.close()
		}
		findings = append(findings, Finding{property, result, err})
	}
	find("mutual", mutual, s.probeMutual)
	find("delegation", delegate, s.probeDelegation)
	find("bindings equal", equal, s.probeEqual)
	find("bindings different", different, probeDifferent)
	find("integrity", protect, probeMessages(func(direction string, from, to gss.MessageProtector, msg []byte) error {
		return probeWrap(direction, from, to, false, msg)
	}))
	find("confidentiality", protect, probeMessages(func(direction string, from, to gss.MessageProtector, msg []byte) error {
		return probeWrap(direction, from, to, true, msg)
	}))
	find("MIC", protect, probeMessages(probeMIC))
	return findings
}

// tryPair makes both sides and passes their tokens. The pair is nil if there is no
// context to close.
func (s Suite) tryPair(ctx context.Context, o options) (*pair, error) {
	initiator, err := s.newInitiator(ctx, o)
	if err != nil {
		return nil, fmt.Errorf("Initiate: %w", err)
	}
	acceptor, err := s.newAcceptor(ctx, o)
	if err != nil {
		initiator.Close()
		return nil, fmt.Errorf("Accept: %w", err)
	}
	p := &pair{initiator: initiator, acceptor: acceptor}
	return p, p.pump(ctx)
}

func (p *pair) close() {
	p.initiator.Close()
	p.acceptor.Close()
}

const (
	probeYes         = "yes"
	probeNo          = "no"
	probeUnnamed     = "unnamed"
	probeUntold      = "untold"
	probeUnavailable = "unavailable"
)

// errUnnamed is what probeIdentity finds with an acceptor that has no name.
var errUnnamed = errors.New("the acceptor does not know the initiator's name")

func outcome(err error) (string, error) {
	switch {
	case err == nil:
		return probeYes, nil
	case errors.Is(err, errUnnamed):
		return probeUnnamed, err
	case errors.Is(err, gss.ErrUnavailable):
		return probeUnavailable, err
	}
	return probeNo, err
}

// probeIdentity checks that the acceptor has named the initiator.
func (s Suite) probeIdentity(p *pair) error {
	switch got := p.acceptor.Info().Initiator.Value; got {
	case s.Principal:
		return nil
	case "":
		return errUnnamed
	default:
		return fmt.Errorf("the acceptor sees %q, want %q", got, s.Principal)
	}
}

func (s Suite) probeMutual(p *pair, err error) (string, error) {
	if err == nil && !p.initiator.Info().Flags.Has(gss.FlagMutual) {
		err = errors.New("the initiator does not have FlagMutual")
	}
	if err == nil {
		err = s.probeIdentity(p)
	}
	return outcome(err)
}

func (s Suite) probeDelegation(p *pair, err error) (string, error) {
	if err != nil {
		return outcome(err)
	}
	info := p.acceptor.Info()
	if info.Delegated == nil {
		return outcome(errors.New("the acceptor has no delegated credential"))
	}
	defer info.Delegated.Close()
	if got := info.Delegated.Name().Value; got != s.Principal {
		return outcome(fmt.Errorf("the delegated credential is of %q, want %q", got, s.Principal))
	}
	onward := s
	onward.Provider, onward.Initiator = s.AcceptorProvider, info.Delegated
	second, err := onward.tryPair(context.Background(), options{mech: gss.MechSPNEGO, flags: gss.FlagMutual})
	if second != nil {
		defer second.close()
	}
	if err != nil {
		return outcome(fmt.Errorf("used onward: %w", err))
	}
	return outcome(s.probeIdentity(second))
}

func (s Suite) probeEqual(p *pair, err error) (string, error) {
	if err == nil {
		err = s.probeIdentity(p)
	}
	if err == nil && !p.acceptor.Info().Flags.Has(gss.FlagChannelBound) {
		return probeUntold, errors.New("the acceptor does not have FlagChannelBound")
	}
	return outcome(err)
}

func probeDifferent(_ *pair, err error) (string, error) {
	switch side, ok := errors.AsType[*sideError](err); {
	case err == nil:
		return outcome(errors.New("the acceptor took other bindings than its own"))
	case !errors.Is(err, gss.ErrBadBindings):
		return outcome(err)
	case !ok || side.side != "acceptor":
		return outcome(fmt.Errorf("it was not the acceptor that refused: %w", err))
	}
	return probeYes, nil
}

// probeMessages protects messages both ways.
func probeMessages(probe func(direction string, from, to gss.MessageProtector, msg []byte) error) func(*pair, error) (string, error) {
	return func(p *pair, err error) (string, error) {
		if err != nil {
			return outcome(err)
		}
		i, iOK := p.initiator.(gss.MessageProtector)
		a, aOK := p.acceptor.(gss.MessageProtector)
		if !iOK || !aOK {
			return outcome(errors.New("a side does not protect messages"))
		}
		for _, msg := range [][]byte{{}, []byte("a message"), bytes.Repeat([]byte("long "), 2000)} {
			if err := errors.Join(probe("to the acceptor", i, a, msg), probe("to the initiator", a, i, msg)); err != nil {
				return outcome(err)
			}
		}
		return probeYes, nil
	}
}

func probeWrap(direction string, from, to gss.MessageProtector, conf bool, msg []byte) error {
	token, err := from.Wrap(conf, msg)
	if err != nil {
		return fmt.Errorf("%s: Wrap: %w", direction, err)
	}
	if conf && len(msg) > 0 && bytes.Contains(token, msg) {
		return fmt.Errorf("%s: the encrypted message can be read", direction)
	}
	got, gotConf, err := to.Unwrap(token)
	if err != nil {
		return fmt.Errorf("%s: Unwrap: %w", direction, err)
	}
	if !bytes.Equal(got, msg) || gotConf != conf {
		return fmt.Errorf("%s: Unwrap gave %d octets, conf %t; want %d, conf %t", direction, len(got), gotConf, len(msg), conf)
	}
	return nil
}

func probeMIC(direction string, from, to gss.MessageProtector, msg []byte) error {
	mic, err := from.GetMIC(msg)
	if err != nil {
		return fmt.Errorf("%s: GetMIC: %w", direction, err)
	}
	if to.VerifyMIC(append(bytes.Clone(msg), '!'), mic) == nil {
		return fmt.Errorf("%s: the signature holds for another message", direction)
	}
	if mic, err = from.GetMIC(msg); err != nil {
		return fmt.Errorf("%s: GetMIC: %w", direction, err)
	}
	if err := to.VerifyMIC(msg, mic); err != nil {
		return fmt.Errorf("%s: VerifyMIC: %w", direction, err)
	}
	return nil
}
