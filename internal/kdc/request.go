package kdc

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/go-negotiate/negotiate/internal/krbmsg"
	"github.com/go-negotiate/negotiate/internal/principal"
)

// Transport is how a request came.
type Transport uint8

const (
	// TCP has no limit to the size of replies worth mentioning.
	TCP Transport = iota
	// UDP replies that are too big become KRB_ERR_RESPONSE_TOO_BIG.
	UDP
)

// String returns "tcp" or "udp".
func (t Transport) String() string {
	if t == UDP {
		return "udp"
	}
	return "tcp"
}

// request is one request in work.
type request struct {
	realm     *Realm
	transport Transport
	msg       krbmsg.KDCReq
	kind      Kind
	now       time.Time
	second    time.Time // now in whole seconds, as tickets have it
	client    principal.Name
	code      krbmsg.ErrorCode // of the KRB-ERROR that was the answer
}

// Handle answers one message: with an AS-REP, a TGS-REP or a KRB-ERROR. It
// returns nil for what is neither AS-REQ nor TGS-REQ, which a KDC leaves
// without an answer.
func (r *Realm) Handle(t Transport, msg []byte) []byte {
	q, err := r.read(t, msg)
	if err != nil {
		return nil
	}
	return q.answer(r.o.Now())
}

// read parses a request and tells its kind.
func (r *Realm) read(t Transport, raw []byte) (*request, error) {
	q := &request{realm: r, transport: t}
	var err error
	if q.msg, err = krbmsg.ParseKDCReq(raw); err != nil {
		return nil, err
	}
	q.kind = q.classify()
	return q, nil
}

// has tells whether all of the options are asked for.
func (q *request) has(options uint32) bool { return q.msg.Body.Options&options == options }

// hasAny tells whether one of the options is asked for.
func (q *request) hasAny(options uint32) bool { return q.msg.Body.Options&options != 0 }

// answer makes the reply as of now.
func (q *request) answer(now time.Time) []byte {
	q.now, q.second = now, now.UTC().Truncate(time.Second)
	q.client = q.msg.Body.Client
	exchange := q.as
	if q.msg.Type == krbmsg.TypeTGSReq {
		exchange = q.tgs
	}
	reply, err := exchange()
	if err != nil {
		return q.failure(err)
	}
	if q.transport == UDP && len(reply) > q.realm.o.MaxUDPReply {
		return q.failure(refuse(krbmsg.ErrResponseTooBig, ""))
	}
	q.log(nil)
	return reply
}

// refuse returns an error that the client is told.
func refuse(code krbmsg.ErrorCode, text string) error {
	return &krbmsg.KRBError{Code: code, Text: text}
}

// failure makes a KRB-ERROR of an error.
func (q *request) failure(err error) []byte {
	e, ok := errors.AsType[*krbmsg.KRBError](err)
	if !ok {
		e = &krbmsg.KRBError{Code: krbmsg.ErrGeneric}
	}
	q.log(err)
	q.code = e.Code
	e.ServerTime = q.now
	e.Server = q.msg.Body.Server
	if e.Client.IsZero() {
		e.Client = q.client
	}
	if len(e.Server.Components) == 0 {
		e.Server = q.realm.tgs
	}
	return e.Append(nil)
}

func (q *request) log(err error) {
	logger := q.realm.o.Logger
	ctx := context.Background()
	if !logger.Enabled(ctx, slog.LevelDebug) {
		return
	}
	attrs := []slog.Attr{
		slog.String("realm", q.realm.o.Realm),
		slog.String("client", q.client.String()),
		slog.String("server", q.msg.Body.Server.String()),
		slog.String("transport", q.transport.String()),
	}
	if err != nil {
		attrs = append(attrs, slog.String("error", err.Error()))
	}
	logger.LogAttrs(ctx, slog.LevelDebug, q.kind.String(), attrs...)
}
