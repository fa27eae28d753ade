package krbmsg

import (
	"log/slog"
	"time"

	"github.com/go-negotiate/negotiate/internal/der"
	"github.com/go-negotiate/negotiate/internal/principal"
)

// EncryptionKey is a key as it travels, inside of what is encrypted.
type EncryptionKey struct {
	Type  int32
	Value []byte
}

// String does not show the key.
func (k EncryptionKey) String() string { return "[key]" }

// GoString does not show the key.
func (k EncryptionKey) GoString() string { return "[key]" }

// LogValue does not show the key.
func (k EncryptionKey) LogValue() slog.Value { return slog.StringValue("[key]") }

// IsZero reports whether there is no key.
func (k EncryptionKey) IsZero() bool { return k.Type == 0 && len(k.Value) == 0 }

func (k EncryptionKey) append(w *der.Writer) {
	m := w.Begin(der.TagSequence)
	w.CtxInt(0, int64(k.Type))
	w.CtxOctets(1, k.Value)
	w.End(m)
}

func readKey(r *der.Reader) (k EncryptionKey) {
	seq := r.Sequence()
	typ := seq.Field(0)
	k.Type = typ.Int32()
	value := seq.Field(1)
	k.Value = value.Octets()
	return k
}

func appendCtxKey(w *der.Writer, n uint8, k EncryptionKey) {
	m := w.Begin(der.Ctx(n))
	k.append(w)
	w.End(m)
}

// EncryptedData is ciphertext with what is needed to find its key. KVNO zero
// means that none is given.
type EncryptedData struct {
	EType  int32
	KVNO   uint32
	Cipher []byte
}

func (e EncryptedData) append(w *der.Writer) {
	m := w.Begin(der.TagSequence)
	w.CtxInt(0, int64(e.EType))
	if e.KVNO != 0 {
		w.CtxInt(1, int64(e.KVNO))
	}
	w.CtxOctets(2, e.Cipher)
	w.End(m)
}

func readEncryptedData(r *der.Reader) (e EncryptedData) {
	seq := r.Sequence()
	etype := seq.Field(0)
	e.EType = etype.Int32()
	if kvno, ok := seq.OptionalField(1); ok {
		e.KVNO = kvno.Uint32()
	}
	cipher := seq.Field(2)
	e.Cipher = cipher.Octets()
	return e
}

func appendCtxEncrypted(w *der.Writer, n uint8, e EncryptedData) {
	m := w.Begin(der.Ctx(n))
	e.append(w)
	w.End(m)
}

// Checksum is a checksum with its type.
type Checksum struct {
	Type int32
	Sum  []byte
}

func (c Checksum) append(w *der.Writer) {
	m := w.Begin(der.TagSequence)
	w.CtxInt(0, int64(c.Type))
	w.CtxOctets(1, c.Sum)
	w.End(m)
}

// AppendChecksum encodes a checksum by itself, as PA-REQ-ENC-PA-REP carries it
// (RFC 6806, section 11).
func AppendChecksum(dst []byte, c Checksum) []byte {
	w := der.Writer{Buf: dst}
	c.append(&w)
	return w.Buf
}

// ParseChecksum reads a checksum by itself.
func ParseChecksum(b []byte) (c Checksum, err error) {
	err = parse("Checksum", b, func(r *der.Reader) { c = readChecksum(r) })
	return c, err
}

func readChecksum(r *der.Reader) (c Checksum) {
	seq := r.Sequence()
	typ := seq.Field(0)
	c.Type = typ.Int32()
	sum := seq.Field(1)
	c.Sum = sum.Octets()
	return c
}

// TypedData is a number with octets: a HostAddress, an element of
// AuthorizationData, a last-request entry's kind. What the number means is told
// by the field that holds it.
type TypedData struct {
	Type int32
	Data []byte
}

func readTypedData(r *der.Reader) (d TypedData) {
	seq := r.Sequence()
	typ := seq.Field(0)
	d.Type = typ.Int32()
	data := seq.Field(1)
	d.Data = data.Octets()
	return d
}

// AppendTypedData appends a SEQUENCE OF the entries, which is what
// AuthorizationData and HostAddresses are.
func AppendTypedData(dst []byte, entries []TypedData) []byte {
	w := der.Writer{Buf: dst}
	appendTypedData(&w, entries)
	return w.Buf
}

func appendTypedData(w *der.Writer, entries []TypedData) {
	m := w.Begin(der.TagSequence)
	for _, e := range entries {
		em := w.Begin(der.TagSequence)
		w.CtxInt(0, int64(e.Type))
		w.CtxOctets(1, e.Data)
		w.End(em)
	}
	w.End(m)
}

func appendCtxTypedData(w *der.Writer, n uint8, entries []TypedData) {
	if len(entries) == 0 {
		return
	}
	m := w.Begin(der.Ctx(n))
	appendTypedData(w, entries)
	w.End(m)
}

// ParseTypedData reads AuthorizationData or HostAddresses by themselves, such
// as the content of an AD-IF-RELEVANT element.
func ParseTypedData(b []byte) (out []TypedData, err error) {
	err = parse("list of typed data", b, func(r *der.Reader) { out = list(r, readTypedData) })
	return out, err
}

func optionalTypedData(seq *der.Reader, n uint8) []TypedData {
	if f, ok := seq.OptionalField(n); ok {
		return list(&f, readTypedData)
	}
	return nil
}

// PAData is one element of pre-authentication data.
type PAData struct {
	Type  int32
	Value []byte
}

func readPAData(r *der.Reader) (p PAData) {
	seq := r.Sequence()
	typ := seq.Field(1)
	p.Type = typ.Int32()
	value := seq.Field(2)
	p.Value = value.Octets()
	return p
}

func appendPADataList(w *der.Writer, list []PAData) {
	m := w.Begin(der.TagSequence)
	for _, p := range list {
		pm := w.Begin(der.TagSequence)
		w.CtxInt(1, int64(p.Type))
		w.CtxOctets(2, p.Value)
		w.End(pm)
	}
	w.End(m)
}

// AppendMethodData appends METHOD-DATA, the e-data of a demand for
// pre-authentication.
func AppendMethodData(dst []byte, list []PAData) []byte {
	w := der.Writer{Buf: dst}
	appendPADataList(&w, list)
	return w.Buf
}

// ParseMethodData reads METHOD-DATA.
func ParseMethodData(b []byte) (out []PAData, err error) {
	err = parse("METHOD-DATA", b, func(r *der.Reader) { out = list(r, readPAData) })
	return out, err
}

// FindPAData returns the value of the first element of the given type.
func FindPAData(list []PAData, typ int32) ([]byte, bool) {
	for _, p := range list {
		if p.Type == typ {
			return p.Value, true
		}
	}
	return nil, false
}

// appendName appends PrincipalName: the name without its realm.
func appendName(w *der.Writer, n principal.Name) {
	m := w.Begin(der.TagSequence)
	w.CtxInt(0, int64(n.Type))
	list := w.Begin(der.Ctx(1))
	seq := w.Begin(der.TagSequence)
	for _, c := range n.Components {
		w.String(c)
	}
	w.End(seq)
	w.End(list)
	w.End(m)
}

func appendCtxName(w *der.Writer, n uint8, name principal.Name) {
	m := w.Begin(der.Ctx(n))
	appendName(w, name)
	w.End(m)
}

func readName(r *der.Reader) (n principal.Name) {
	seq := r.Sequence()
	typ := seq.Field(0)
	n.Type = typ.Int32()
	components := seq.Field(1)
	parts := components.Sequence()
	n.Components = make([]string, 0, 2)
	for !parts.Empty() {
		if len(n.Components) == maxComponents {
			parts.Fail()
			break
		}
		n.Components = append(n.Components, parts.String())
	}
	return n
}

// maxComponents bounds the parts of a principal's name; two or three are usual.
const maxComponents = 16

// readRealmAndName reads the pair of fields in which messages carry a principal.
func readRealmAndName(seq *der.Reader, realm, name uint8) principal.Name {
	rf := seq.Field(realm)
	r := rf.String()
	nf := seq.Field(name)
	n := readName(&nf)
	n.Realm = r
	return n
}

func optionalRealmAndName(seq *der.Reader, realm, name uint8) (n principal.Name) {
	var r string
	if f, ok := seq.OptionalField(realm); ok {
		r = f.String()
	}
	if f, ok := seq.OptionalField(name); ok {
		n = readName(&f)
	}
	n.Realm = r
	return n
}

func optionalTime(seq *der.Reader, n uint8) time.Time {
	if f, ok := seq.OptionalField(n); ok {
		return f.Time()
	}
	return time.Time{}
}

// maxMicroseconds bounds the fields that carry microseconds.
const maxMicroseconds = 999999

func readMicroseconds(r *der.Reader) time.Duration {
	return time.Duration(r.Int(0, maxMicroseconds)) * time.Microsecond
}

// splitTime cuts t into what Kerberos carries: whole seconds and microseconds.
func splitTime(t time.Time) (sec time.Time, micro int64) {
	return t, int64(t.Nanosecond() / 1000)
}
