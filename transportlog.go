package negotiate

import (
	"log/slog"
	"net/http"

	"github.com/go-negotiate/negotiate/gss"
)

// The records of a Transport at level debug tell what a packet capture would,
// but for the tokens, of which they tell the length.

// logLeg tells what a leg has carried and what the server answered.
func (n *negotiation) logLeg(token []byte, resp *http.Response) {
	if !n.c.log.Enabled(n.ctx, slog.LevelDebug) {
		return
	}
	offered, in, err := negotiateChallenge(resp.Header, "WWW-Authenticate")
	attrs := []slog.Attr{
		slog.Int("leg", n.ex.Legs),
		slog.String("method", n.req.Method),
		slog.String("url", redacted(n.req.URL)),
		slog.Int("token", len(token)),
		slog.Int("status", resp.StatusCode),
		slog.String("proto", resp.Proto),
		slog.Bool("negotiate", offered),
		slog.Int("answer", len(in)),
	}
	if err != nil {
		attrs = append(attrs, slog.Any("error", err))
	}
	n.c.log.LogAttrs(n.ctx, slog.LevelDebug, "leg", attrs...)
}

// logResponse tells what the caller gets.
func (n *negotiation) logResponse(resp *http.Response) {
	if !n.c.log.Enabled(n.ctx, slog.LevelDebug) {
		return
	}
	n.c.log.DebugContext(n.ctx, "response", "url", redacted(n.req.URL), "status", resp.StatusCode, "legs", n.ex.Legs,
		"target", n.ex.Target, "mutual", n.ex.MutualVerified, "sanitized", n.ex.Sanitized)
}

// logContext tells what the context is to be.
func (n *negotiation) logContext(o *gss.InitiateOptions) {
	if !n.c.gssLog.Enabled(n.ctx, slog.LevelDebug) {
		return
	}
	n.c.gssLog.LogAttrs(n.ctx, slog.LevelDebug, "context",
		slog.String("target", o.Target.String()),
		slog.String("provider", n.who.provider.String()),
		slog.String("mechanism", mechanismOf(o.Mechanism).Describe()),
		slog.String("initiator", n.who.cred.Name().String()),
		slog.String("flags", o.Flags.String()),
		slog.Bool("channel_bound", o.ChannelBindings != nil),
	)
}

func mechanismOf(m gss.OID) gss.OID {
	if m == "" {
		return gss.MechSPNEGO
	}
	return m
}

// logStep tells what the provider made of a token of in octets.
func (n *negotiation) logStep(in, out int, err error) {
	if !n.c.gssLog.Enabled(n.ctx, slog.LevelDebug) {
		return
	}
	s := n.session
	attrs := []slog.Attr{slog.Int("leg", s.legs), slog.Int("in", in), slog.Int("out", out), slog.Bool("done", s.done)}
	switch {
	case err != nil:
		attrs = append(attrs, slog.Any("error", err))
	case s.done:
		info := s.sc.Info()
		attrs = append(attrs,
			slog.String("mechanism", info.Mechanism.Describe()),
			slog.String("initiator", info.Initiator.String()),
			slog.String("acceptor", info.Acceptor.String()),
			slog.String("flags", info.Flags.String()),
			slog.Time("expires", info.Expires))
	}
	n.c.gssLog.LogAttrs(n.ctx, slog.LevelDebug, "step", attrs...)
}
