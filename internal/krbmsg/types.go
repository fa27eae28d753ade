package krbmsg

import (
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/go-negotiate/negotiate/internal/der"
	"github.com/go-negotiate/negotiate/internal/principal"
)

// EncryptionKey is a key as it travels, inside of what is encrypted.
type EncryptionKey struct {
	Type  int32
	Value []byte `json:"-"` // a handler of slog writes structs as JSON
}

// String does not show the key.
func (k EncryptionKey) String() string { return "[key]" }

// Format does not show the key, whatever the verb: %d would.
func (k EncryptionKey) Format(s fmt.State, _ rune) { io.WriteString(s, k.String()) }

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
	k.Type = seq.FieldInt32(0)
	k.Value = seq.FieldOctets(1)
	return k
}

func fieldKey(r *der.Reader, n uint8) EncryptionKey {
	f := r.Field(n)
	k := readKey(&f)
	f.End()
	return k
}

// fieldOptKey is fieldKey for a field that may be absent, or hold no key.
func fieldOptKey(r *der.Reader, n uint8) EncryptionKey {
	if !r.HasField(n) {
		return EncryptionKey{}
	}
	if k := fieldKey(r, n); !k.IsZero() {
		return k
	}
	return EncryptionKey{}
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
	e.EType = seq.FieldInt32(0)
	if seq.HasField(1) {
		e.KVNO = seq.FieldUint32(1)
	}
	e.Cipher = seq.FieldOctets(2)
	return e
}

func fieldEncrypted(r *der.Reader, n uint8) EncryptedData {
	f := r.Field(n)
	e := readEncryptedData(&f)
	f.End()
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

func readChecksum(r *der.Reader) (c Checksum) {
	seq := r.Sequence()
	c.Type = seq.FieldInt32(0)
	c.Sum = seq.FieldOctets(1)
	return c
}

func fieldChecksum(r *der.Reader, n uint8) Checksum {
	f := r.Field(n)
	c := readChecksum(&f)
	f.End()
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
	d.Type = seq.FieldInt32(0)
	d.Data = seq.FieldOctets(1)
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
func ParseTypedData(b []byte) ([]TypedData, error) {
	return parse("list of typed data", b, readTypedDataList)
}

// readTypedDataList is list(r, readTypedData) without the indirect call, which
// would move the reader of a service's messages to the heap.
func readTypedDataList(r *der.Reader) []TypedData {
	seq := r.Sequence()
	var out []TypedData
	for seq.More(len(out), maxList) {
		out = append(out, readTypedData(&seq))
	}
	return out
}

func fieldOptTypedData(r *der.Reader, n uint8) []TypedData {
	f, ok := r.OptionalField(n)
	if !ok {
		return nil
	}
	out := readTypedDataList(&f)
	f.End()
	return out
}

// PAData is one element of pre-authentication data.
type PAData struct {
	Type  int32
	Value []byte
}

func readPAData(r *der.Reader) (p PAData) {
	seq := r.Sequence()
	p.Type = seq.FieldInt32(1)
	p.Value = seq.FieldOctets(2)
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
func ParseMethodData(b []byte) ([]PAData, error) {
	return parse("METHOD-DATA", b, func(r *der.Reader) []PAData { return list(r, readPAData) })
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

// readName reads PrincipalName. Without components it names nobody; some peers
// send that in a KRB-ERROR.
func readName(r *der.Reader) (n principal.Name) {
	seq := r.Sequence()
	n.Type = seq.FieldInt32(0)
	f := seq.Field(1)
	parts := f.Sequence()
	f.End()
	if parts.Empty() {
		return n
	}
	n.Components = make([]string, 0, 2)
	for parts.More(len(n.Components), maxComponents) {
		n.Components = append(n.Components, parts.String())
	}
	return n
}

// maxComponents bounds the parts of a principal's name; two or three are usual.
const maxComponents = 16

func fieldName(r *der.Reader, n uint8) principal.Name {
	f := r.Field(n)
	name := readName(&f)
	f.End()
	return name
}

// fieldOptName is fieldName for a field that may be absent. A name without
// components is as good as none.
func fieldOptName(r *der.Reader, n uint8) principal.Name {
	if !r.HasField(n) {
		return principal.Name{}
	}
	name := fieldName(r, n)
	if len(name.Components) == 0 {
		return principal.Name{}
	}
	return name
}

// fieldsPrincipal reads the pair of fields in which messages carry a principal.
func fieldsPrincipal(r *der.Reader, realm, name uint8) principal.Name {
	text := r.FieldString(realm)
	n := fieldName(r, name)
	n.Realm = text
	return n
}

// fieldsOptPrincipal is fieldsPrincipal where either field may be absent.
func fieldsOptPrincipal(r *der.Reader, realm, name uint8) principal.Name {
	var text string
	if r.HasField(realm) {
		text = r.FieldString(realm)
	}
	n := fieldOptName(r, name)
	n.Realm = text
	return n
}

// appendOptPrincipal writes what fieldsOptPrincipal reads. A realm may stand
// alone: with KDC_ERR_WRONG_REALM it says where to ask.
func appendOptPrincipal(w *der.Writer, realm, name uint8, n principal.Name) {
	if n.IsZero() {
		return
	}
	w.CtxString(realm, n.Realm)
	if len(n.Components) > 0 {
		appendCtxName(w, name, n)
	}
}

// maxMicroseconds bounds the fields that carry microseconds.
const maxMicroseconds = 999999

func fieldMicroseconds(r *der.Reader, n uint8) time.Duration {
	return time.Duration(r.FieldInt(n, 0, maxMicroseconds)) * time.Microsecond
}

// splitTime cuts t into what Kerberos carries: whole seconds and microseconds.
func splitTime(t time.Time) (sec time.Time, micro int64) {
	return t, int64(t.Nanosecond() / 1000)
}
