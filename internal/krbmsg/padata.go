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
func ParseETypeInfo2(b []byte) (out []ETypeInfo2, err error) {
	err = parse("PA-ETYPE-INFO2", b, func(r *der.Reader) {
		out = list(r, func(r *der.Reader) (e ETypeInfo2) {
			seq := r.Sequence()
			etype := seq.Field(0)
			e.EType = etype.Int32()
			if f, ok := seq.OptionalField(1); ok {
				e.HasSalt, e.Salt = true, f.String()
			}
			if f, ok := seq.OptionalField(2); ok {
				e.Params = f.Octets()
			}
			return e
		})
	})
	return out, err
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
func ParsePAEncTSEnc(b []byte) (t time.Time, err error) {
	err = parse("PA-ENC-TS-ENC", b, func(r *der.Reader) {
		seq := r.Sequence()
		stamp := seq.Field(0)
		t = stamp.Time()
		if f, ok := seq.OptionalField(1); ok {
			t = t.Add(readMicroseconds(&f))
		}
		*r = der.NewReader(nil, new(bool))
	})
	return t, err
}

// AppendEncryptedData encodes an EncryptedData by itself, as PA-ENC-TIMESTAMP
// carries it.
func AppendEncryptedData(dst []byte, e EncryptedData) []byte {
	w := der.Writer{Buf: dst}
	e.append(&w)
	return w.Buf
}

// ParseEncryptedData reads an EncryptedData by itself.
func ParseEncryptedData(b []byte) (e EncryptedData, err error) {
	err = parse("EncryptedData", b, func(r *der.Reader) { e = readEncryptedData(r) })
	return e, err
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
func ParseForUser(b []byte) (f ForUser, err error) {
	err = parse("PA-FOR-USER", b, func(r *der.Reader) {
		seq := r.Sequence()
		name := seq.Field(0)
		f.User = readName(&name)
		realm := seq.Field(1)
		f.User.Realm = realm.String()
		sum := seq.Field(2)
		f.Checksum = readChecksum(&sum)
		pkg := seq.Field(3)
		f.Package = pkg.String()
	})
	return f, err
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
func ParseS4UX509User(b []byte) (s S4UX509User, err error) {
	err = parse("PA-S4U-X509-USER", b, func(r *der.Reader) {
		seq := r.Sequence()
		idField := seq.Field(0)
		s.RawID = idField.Element()
		failed := false
		id := der.NewReader(s.RawID, &failed)
		s.ID = readS4UUserID(&id)
		if failed {
			r.Fail()
		}
		sum := seq.Field(1)
		s.Checksum = readChecksum(&sum)
	})
	return s, err
}

func readS4UUserID(r *der.Reader) (u S4UUserID) {
	seq := r.Sequence()
	nonce := seq.Field(0)
	u.Nonce = nonce.Uint32()
	if f, ok := seq.OptionalField(1); ok {
		u.User = readName(&f)
	}
	realm := seq.Field(2)
	u.User.Realm = realm.String()
	if f, ok := seq.OptionalField(3); ok {
		u.Certificate = f.Octets()
	}
	if f, ok := seq.OptionalField(4); ok {
		u.HasOptions, u.Options = true, f.Bits32()
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
	err = parse("PA-PAC-OPTIONS", b, func(r *der.Reader) {
		seq := r.Sequence()
		f := seq.Field(0)
		flags = f.Bits32()
	})
	return flags, err
}
