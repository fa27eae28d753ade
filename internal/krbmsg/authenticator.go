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
	Checksum  Checksum // zero Type: none; one of type 0 is read as none
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

// ParseAuthenticator reads a decrypted authenticator. Its client has a name.
func ParseAuthenticator(b []byte) (Authenticator, error) {
	// Not by decode: its indirect call would move the reader to the heap.
	in := der.NewInput(b)
	r := in.Reader()
	a := readAuthenticator(&r)
	if in.Failed() {
		return Authenticator{}, malformed("Authenticator")
	}
	return a, nil
}

func readAuthenticator(r *der.Reader) (a Authenticator) {
	seq := message(r, tagAuthenticator)
	if seq.FieldInt32(0) != Version {
		seq.Fail()
	}
	a.Client = fieldsPrincipal(&seq, 1, 2)
	if len(a.Client.Components) == 0 {
		seq.Fail()
	}
	if seq.HasField(3) {
		if sum := fieldChecksum(&seq, 3); sum.Type != 0 {
			a.Checksum = sum
		}
	}
	micro := fieldMicroseconds(&seq, 4)
	sec := seq.FieldTime(5)
	a.Time = sec.Add(micro)
	a.Subkey = fieldOptKey(&seq, 6)
	a.HasSeq = seq.HasField(7)
	if a.HasSeq {
		a.SeqNumber = seq.FieldUint32(7)
	}
	a.AuthData = fieldOptTypedData(&seq, 8)
	return a
}
