package krbmsg

import (
	"time"

	"github.com/go-negotiate/negotiate/internal/der"
	"github.com/go-negotiate/negotiate/internal/principal"
)

// Authenticator proves that its sender holds the session key of a ticket
// (RFC 4120, section 5.5.1). Time has a resolution of a microsecond.
type Authenticator struct {
	Client    principal.Name
	Checksum  Checksum // zero Type: none
	Time      time.Time
	Subkey    EncryptionKey // zero: none
	HasSeq    bool
	SeqNumber uint32
	AuthData  []TypedData
}

// Append encodes the authenticator.
func (a *Authenticator) Append(dst []byte) []byte {
	w := der.Writer{Buf: dst}
	app := w.Begin(der.App(tagAuthenticator))
	seq := w.Begin(der.TagSequence)
	w.CtxInt(0, Version)
	w.CtxString(1, a.Client.Realm)
	appendCtxName(&w, 2, a.Client)
	if a.Checksum.Type != 0 {
		m := w.Begin(der.Ctx(3))
		a.Checksum.append(&w)
		w.End(m)
	}
	sec, micro := splitTime(a.Time)
	w.CtxInt(4, micro)
	w.CtxTime(5, sec)
	if !a.Subkey.IsZero() {
		appendCtxKey(&w, 6, a.Subkey)
	}
	if a.HasSeq {
		w.CtxInt(7, int64(a.SeqNumber))
	}
	appendCtxTypedData(&w, 8, a.AuthData)
	w.End(seq)
	w.End(app)
	return w.Buf
}

// ParseAuthenticator reads a decrypted authenticator.
func ParseAuthenticator(b []byte) (a Authenticator, err error) {
	failed := false
	r := der.NewReader(b, &failed)
	app := r.Open(der.App(tagAuthenticator))
	seq := app.Sequence()
	version := seq.Field(0)
	if version.Int32() != Version {
		seq.Fail()
	}
	a.Client = readRealmAndName(&seq, 1, 2)
	if f, ok := seq.OptionalField(3); ok {
		a.Checksum = readChecksum(&f)
	}
	cusec := seq.Field(4)
	micro := readMicroseconds(&cusec)
	ctime := seq.Field(5)
	a.Time = ctime.Time().Add(micro)
	if f, ok := seq.OptionalField(6); ok {
		a.Subkey = readKey(&f)
	}
	if f, ok := seq.OptionalField(7); ok {
		a.HasSeq, a.SeqNumber = true, f.Uint32()
	}
	a.AuthData = optionalTypedData(&seq, 8)
	if failed {
		return Authenticator{}, malformed("Authenticator")
	}
	return a, nil
}
