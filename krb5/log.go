package krb5

import (
	"context"
	"log/slog"

	"github.com/go-negotiate/negotiate/internal/etype"
	"github.com/go-negotiate/negotiate/internal/kdcclient"
	"github.com/go-negotiate/negotiate/internal/krbmsg"
)

// logTicket tells of a ticket what klist would.
func (p *Provider) logTicket(ctx context.Context, msg string, t *kdcclient.Ticket) {
	if !p.log.Enabled(ctx, slog.LevelDebug) {
		return
	}
	attrs := []slog.Attr{
		slog.String("client", t.Client.String()),
		slog.String("service", t.Server.String()),
		slog.String("session_key", t.Key.Type().String()),
		slog.String("flags", flagText(t.Flags)),
		slog.Time("expires", t.EndTime),
	}
	if tkt, err := krbmsg.ParseTicket(t.Raw); err == nil {
		attrs = append(attrs, slog.String("ticket_key", etype.ID(tkt.Enc.EType).String()), slog.Uint64("kvno", uint64(tkt.Enc.KVNO)))
	}
	p.log.LogAttrs(ctx, slog.LevelDebug, msg, attrs...)
}

var flagLetters = [...]struct {
	flag   uint32
	letter byte
}{
	{krbmsg.FlagForwardable, 'F'}, {krbmsg.FlagForwarded, 'f'}, {krbmsg.FlagProxiable, 'P'}, {krbmsg.FlagProxy, 'p'},
	{krbmsg.FlagRenewable, 'R'}, {krbmsg.FlagInitial, 'I'}, {krbmsg.FlagInvalid, 'i'}, {krbmsg.FlagHWAuth, 'H'},
	{krbmsg.FlagPreAuth, 'A'}, {krbmsg.FlagTransited, 'T'}, {krbmsg.FlagOKAsDelegate, 'O'}, {krbmsg.FlagAnonymousTick, 'a'},
}

// flagText abbreviates ticket flags as klist -f does.
func flagText(flags uint32) string {
	var b []byte
	for _, f := range flagLetters {
		if flags&f.flag != 0 {
			b = append(b, f.letter)
		}
	}
	return string(b)
}
