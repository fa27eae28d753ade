package krbmsg

import (
	"encoding/binary"
	"time"

	"github.com/go-negotiate/negotiate/internal/der"
	"github.com/go-negotiate/negotiate/internal/principal"
)

// ETypeInfo2 is an entry of PA-ETYPE-INFO2 (RFC 4120, section 5.2.7.5): how a
// password becomes a key. HasSalt false means the default salt.
type ETypeInfo2 struct {
	EType   int32
	HasSalt bool
	Salt    string
	Params  []byte // nil: the default of the encryption type
}

// AppendETypeInfo2 encodes the list.
func AppendETypeInfo2(dst []byte, entries []ETypeInfo2) []byte {
	w := der.Writer{Buf: dst}
	seq := w.Begin(der.TagSequence)
	for _, e := range entries {
		m := w.Begin(der.TagSequence)
		w.CtxInt(0, int64(e.EType))
		if e.HasSalt {
			w.CtxString(1, e.Salt)
		}
		if e.Params != nil {
			w.CtxOctets(2, e.Params)
		}
		w.End(m)
	}
	w.End(seq)
	return w.Buf
}

// ParseETypeInfo2 reads the list.
func ParseETypeInfo2(b []byte) ([]ETypeInfo2, error) {
	return parse("PA-ETYPE-INFO2", b, func(r *der.Reader) []ETypeInfo2 { return list(r, readETypeInfo2) })
}

func readETypeInfo2(r *der.Reader) (e ETypeInfo2) {
	seq := r.Sequence()
	e.EType = seq.FieldInt32(0)
	e.HasSalt = seq.HasField(1)
	if e.HasSalt {
		e.Salt = seq.FieldString(1)
	}
	if seq.HasField(2) {
		e.Params = seq.FieldOctets(2)
	}
	return e
}

// AppendPAEncTSEnc encodes the plaintext of PA-ENC-TIMESTAMP (section 5.2.7.2).
func AppendPAEncTSEnc(dst []byte, now time.Time) []byte {
	w := der.Writer{Buf: dst}
	seq := w.Begin(der.TagSequence)
	sec, micro := splitTime(now)
	w.CtxTime(0, sec)
	w.CtxInt(1, micro)
	w.End(seq)
	return w.Buf
}

// ParsePAEncTSEnc reads it.
func ParsePAEncTSEnc(b []byte) (time.Time, error) {
	return decode("PA-ENC-TS-ENC", b, func(r *der.Reader) time.Time {
		seq := r.Sequence()
		t := seq.FieldTime(0)
		if seq.HasField(1) {
			t = t.Add(fieldMicroseconds(&seq, 1))
		}
		return t
	})
}

// AppendEncryptedData encodes an EncryptedData by itself, as PA-ENC-TIMESTAMP
// carries it.
func AppendEncryptedData(dst []byte, e EncryptedData) []byte {
	w := der.Writer{Buf: dst}
	e.append(&w)
	return w.Buf
}

// ParseEncryptedData reads an EncryptedData by itself.
func ParseEncryptedData(b []byte) (EncryptedData, error) {
	return parse("EncryptedData", b, readEncryptedData)
}

// ForUser is PA-FOR-USER: a service asks for a ticket to itself as a user
// (MS-SFU, section 2.2.1).
type ForUser struct {
	User     principal.Name
	Checksum Checksum
	Package  string // "Kerberos"
}

// ChecksumInput is what the checksum covers, with key usage 17.
func (f *ForUser) ChecksumInput() []byte {
	b := binary.LittleEndian.AppendUint32(nil, uint32(f.User.Type))
	for _, c := range f.User.Components {
		b = append(b, c...)
	}
	b = append(b, f.User.Realm...)
	return append(b, f.Package...)
}

// Append encodes the element's value.
func (f *ForUser) Append(dst []byte) []byte {
	w := der.Writer{Buf: dst}
	seq := w.Begin(der.TagSequence)
	appendCtxName(&w, 0, f.User)
	w.CtxString(1, f.User.Realm)
	m := w.Begin(der.Ctx(2))
	f.Checksum.append(&w)
	w.End(m)
	w.CtxString(3, f.Package)
	w.End(seq)
	return w.Buf
}

// ParseForUser reads the element's value.
func ParseForUser(b []byte) (ForUser, error) { return parse("PA-FOR-USER", b, readForUser) }

func readForUser(r *der.Reader) (f ForUser) {
	seq := r.Sequence()
	f.User = fieldName(&seq, 0)
	f.User.Realm = seq.FieldString(1)
	f.Checksum = fieldChecksum(&seq, 2)
	f.Package = seq.FieldString(3)
	return f
}

// S4UUserID is the part of PA-S4U-X509-USER that its checksum covers (MS-SFU,
// section 2.2.2). No components and a certificate means: whose it is.
type S4UUserID struct {
	Nonce       uint32
	User        principal.Name
	Certificate []byte
	Options     uint32
	HasOptions  bool
}

// Append encodes the part.
func (u *S4UUserID) Append(dst []byte) []byte {
	w := der.Writer{Buf: dst}
	seq := w.Begin(der.TagSequence)
	w.CtxInt(0, int64(u.Nonce))
	if len(u.User.Components) > 0 {
		appendCtxName(&w, 1, u.User)
	}
	w.CtxString(2, u.User.Realm)
	if u.Certificate != nil {
		w.CtxOctets(3, u.Certificate)
	}
	if u.HasOptions {
		w.CtxBits32(4, u.Options)
	}
	w.End(seq)
	return w.Buf
}

// S4UX509User is PA-S4U-X509-USER. RawID is the encoding of ID that was read.
type S4UX509User struct {
	ID       S4UUserID
	RawID    []byte
	Checksum Checksum
}

// Append encodes the element's value.
func (s *S4UX509User) Append(dst []byte) []byte {
	w := der.Writer{Buf: dst}
	seq := w.Begin(der.TagSequence)
	m := w.Begin(der.Ctx(0))
	w.Buf = s.ID.Append(w.Buf)
	w.End(m)
	m = w.Begin(der.Ctx(1))
	s.Checksum.append(&w)
	w.End(m)
	w.End(seq)
	return w.Buf
}

// ParseS4UX509User reads the element's value.
func ParseS4UX509User(b []byte) (S4UX509User, error) {
	return parse("PA-S4U-X509-USER", b, readS4UX509User)
}

func readS4UX509User(r *der.Reader) (s S4UX509User) {
	seq := r.Sequence()
	id := seq.FieldElement(0)
	s.RawID = id.Rest()
	s.ID = readS4UUserID(&id)
	s.Checksum = fieldChecksum(&seq, 1)
	return s
}

func readS4UUserID(r *der.Reader) (u S4UUserID) {
	seq := r.Sequence()
	u.Nonce = seq.FieldUint32(0)
	u.User = fieldOptName(&seq, 1)
	u.User.Realm = seq.FieldString(2)
	if seq.HasField(3) {
		u.Certificate = seq.FieldOctets(3)
	}
	u.HasOptions = seq.HasField(4)
	if u.HasOptions {
		u.Options = seq.FieldBits32(4)
	}
	return u
}

// AppendPACOptions encodes PA-PAC-OPTIONS (MS-KILE, section 2.2.10).
func AppendPACOptions(dst []byte, flags uint32) []byte {
	w := der.Writer{Buf: dst}
	seq := w.Begin(der.TagSequence)
	w.CtxBits32(0, flags)
	w.End(seq)
	return w.Buf
}

// ParsePACOptions reads it.
func ParsePACOptions(b []byte) (flags uint32, err error) {
	return parse("PA-PAC-OPTIONS", b, func(r *der.Reader) uint32 {
		seq := r.Sequence()
		return seq.FieldBits32(0)
	})
}
