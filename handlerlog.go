package negotiate

import (
	"bytes"
	"log/slog"
	"net/http"
	"slices"

	"github.com/go-negotiate/negotiate/gss"
)

func (h *Handler) logger() *slog.Logger {
	if h.Logger == nil {
		return slog.Default()
	}
	return h.Logger
}

func (h *Handler) log(r *http.Request, level slog.Level, msg string, args ...any) {
	if l := h.logger(); l.Enabled(r.Context(), level) {
		l.With("logger", "negotiate", "remote", r.RemoteAddr).Log(r.Context(), level, msg, args...)
	}
}

// logSuccess says who was let through.
func (h *Handler) logSuccess(r *http.Request, id *Identity) {
	if !h.logger().Enabled(r.Context(), slog.LevelDebug) {
		return
	}
	h.log(r, slog.LevelDebug, "authenticated", "principal", id.Principal, "mechanism", id.Mechanism.Describe(),
		"channel_bound", id.ChannelBound, "delegated", id.Delegated != nil)
}

// logRefusal says what came, why it was refused and what may be done about it.
func (h *Handler) logRefusal(r *http.Request, token []byte, err error) {
	args := []any{"token", describeToken(token), "err", err}
	if hint := refusalHint(token); hint != "" {
		args = append(args, "hint", hint)
	}
	h.log(r, slog.LevelWarn, "refused", args...)
}

var ntlmSignature = []byte("NTLMSSP\x00")

func isNTLM(token []byte) bool { return bytes.HasPrefix(token, ntlmSignature) }

// takesNTLM reports whether p knows NTLM, which no provider does unless it is
// asked for by name.
func takesNTLM(p gss.Provider) bool {
	return slices.Contains(p.Mechanisms(), gss.MechNTLM)
}

// describeToken says of what kind a token is, as far as its first bytes tell.
func describeToken(token []byte) string {
	switch {
	case isNTLM(token):
		return "NTLM"
	case len(token) > 0 && token[0] == 0xa1:
		return "SPNEGO, a later leg"
	}
	if mech, ok := framedMech(token); ok {
		return mech.Describe()
	}
	return "unknown"
}

// framedMech returns the mechanism that an initial context token names (RFC 2743,
// section 3.1).
func framedMech(token []byte) (gss.OID, bool) {
	const tagApplication0, tagOID = 0x60, 0x06
	if len(token) < 2 || token[0] != tagApplication0 {
		return "", false
	}
	rest := token[2:]
	if long := token[1]; long > 0x80 {
		n := int(long & 0x7f)
		if len(rest) < n {
			return "", false
		}
		rest = rest[n:]
	}
	if len(rest) < 2 || rest[0] != tagOID || rest[1] >= 0x80 || len(rest)-2 < int(rest[1]) {
		return "", false
	}
	return gss.OID(rest[2 : 2+rest[1]]), true
}

// refusalHint tells what usually is behind a refused token of this kind.
func refusalHint(token []byte) string {
	switch {
	case bytes.Contains(token, ntlmSignature):
		return "the client has no Kerberos ticket for this server: check that the principal HTTP/<host in the URL> exists, " +
			"that the client can reach a KDC, and that it trusts the site (intranet zone, AuthServerAllowlist)"
	case len(token) > 0 && token[0] == 0xa1:
		return "the token continues a context that does not wait on this connection: a proxy may spread a client's requests over several"
	}
	return ""
}
