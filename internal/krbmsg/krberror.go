package krbmsg

import (
	"fmt"
	"strings"
	"time"

	"github.com/go-negotiate/negotiate/internal/der"
	"github.com/go-negotiate/negotiate/internal/principal"
)

// ErrorCode is the error-code of a KRB-ERROR (RFC 4120, section 7.5.9). It is an
// error, so that errors.Is works on the constants.
type ErrorCode int32

// Codes that are made or looked for here.
const (
	ErrNone               ErrorCode = 0
	ErrNameExp            ErrorCode = 1
	ErrServiceExp         ErrorCode = 2
	ErrBadPVNO            ErrorCode = 3
	ErrCPrincipalUnknown  ErrorCode = 6
	ErrSPrincipalUnknown  ErrorCode = 7
	ErrPrincipalNotUnique ErrorCode = 8
	ErrNullKey            ErrorCode = 9
	ErrCannotPostdate     ErrorCode = 10
	ErrNeverValid         ErrorCode = 11
	ErrPolicy             ErrorCode = 12
	ErrBadOption          ErrorCode = 13
	ErrETypeNoSupp        ErrorCode = 14
	ErrPADataTypeNoSupp   ErrorCode = 16
	ErrClientRevoked      ErrorCode = 18
	ErrServiceRevoked     ErrorCode = 19
	ErrTGTRevoked         ErrorCode = 20
	ErrKeyExpired         ErrorCode = 23
	ErrPreauthFailed      ErrorCode = 24
	ErrPreauthRequired    ErrorCode = 25
	ErrServerNoMatch      ErrorCode = 26
	ErrSvcUnavailable     ErrorCode = 29
	ErrBadIntegrity       ErrorCode = 31
	ErrTktExpired         ErrorCode = 32
	ErrTktNYV             ErrorCode = 33
	ErrRepeat             ErrorCode = 34
	ErrNotUs              ErrorCode = 35
	ErrBadMatch           ErrorCode = 36
	ErrSkew               ErrorCode = 37
	ErrBadAddr            ErrorCode = 38
	ErrBadVersion         ErrorCode = 39
	ErrMsgType            ErrorCode = 40
	ErrModified           ErrorCode = 41
	ErrBadKeyVer          ErrorCode = 44
	ErrNoKey              ErrorCode = 45
	ErrMutFail            ErrorCode = 46
	ErrInappCksum         ErrorCode = 50
	ErrResponseTooBig     ErrorCode = 52
	ErrGeneric            ErrorCode = 60
	ErrFieldTooLong       ErrorCode = 61
	ErrWrongRealm         ErrorCode = 68
)

// codeTexts are names and what they mean for a person.
var codeTexts = map[ErrorCode][2]string{
	ErrNameExp:            {"KDC_ERR_NAME_EXP", "the client's entry in the KDC has expired"},
	ErrServiceExp:         {"KDC_ERR_SERVICE_EXP", "the service's entry in the KDC has expired"},
	ErrBadPVNO:            {"KDC_ERR_BAD_PVNO", "protocol version is not supported"},
	ErrCPrincipalUnknown:  {"KDC_ERR_C_PRINCIPAL_UNKNOWN", "the KDC does not know the client"},
	ErrSPrincipalUnknown:  {"KDC_ERR_S_PRINCIPAL_UNKNOWN", "the KDC does not know the service"},
	ErrPrincipalNotUnique: {"KDC_ERR_PRINCIPAL_NOT_UNIQUE", "several entries of the KDC have this name"},
	ErrNullKey:            {"KDC_ERR_NULL_KEY", "the client or service has no key"},
	ErrCannotPostdate:     {"KDC_ERR_CANNOT_POSTDATE", "the ticket cannot be post-dated"},
	ErrNeverValid:         {"KDC_ERR_NEVER_VALID", "the requested lifetime is empty"},
	ErrPolicy:             {"KDC_ERR_POLICY", "the KDC's policy refuses the request"},
	ErrBadOption:          {"KDC_ERR_BADOPTION", "the KDC cannot grant a requested option"},
	ErrETypeNoSupp:        {"KDC_ERR_ETYPE_NOSUPP", "the KDC supports none of the offered encryption types"},
	ErrPADataTypeNoSupp:   {"KDC_ERR_PADATA_TYPE_NOSUPP", "the KDC does not support this pre-authentication"},
	ErrClientRevoked:      {"KDC_ERR_CLIENT_REVOKED", "the client's account is locked or disabled"},
	ErrServiceRevoked:     {"KDC_ERR_SERVICE_REVOKED", "the service's account is locked or disabled"},
	ErrTGTRevoked:         {"KDC_ERR_TGT_REVOKED", "the ticket-granting ticket has been revoked"},
	ErrKeyExpired:         {"KDC_ERR_KEY_EXPIRED", "the password has expired"},
	ErrPreauthFailed:      {"KDC_ERR_PREAUTH_FAILED", "the password or key is wrong"},
	ErrPreauthRequired:    {"KDC_ERR_PREAUTH_REQUIRED", "the KDC asks for pre-authentication"},
	ErrServerNoMatch:      {"KDC_ERR_SERVER_NOMATCH", "the ticket is for another service"},
	ErrSvcUnavailable:     {"KDC_ERR_SVC_UNAVAILABLE", "the KDC is not available"},
	ErrBadIntegrity:       {"KRB_AP_ERR_BAD_INTEGRITY", "decryption failed: the key is not the one it was encrypted with"},
	ErrTktExpired:         {"KRB_AP_ERR_TKT_EXPIRED", "the ticket has expired"},
	ErrTktNYV:             {"KRB_AP_ERR_TKT_NYV", "the ticket is not yet valid"},
	ErrRepeat:             {"KRB_AP_ERR_REPEAT", "the authenticator was used before"},
	ErrNotUs:              {"KRB_AP_ERR_NOT_US", "the ticket is for another service"},
	ErrBadMatch:           {"KRB_AP_ERR_BADMATCH", "ticket and authenticator do not match"},
	ErrSkew:               {"KRB_AP_ERR_SKEW", "the clocks differ too much"},
	ErrBadAddr:            {"KRB_AP_ERR_BADADDR", "the ticket is bound to another address"},
	ErrBadVersion:         {"KRB_AP_ERR_BADVERSION", "protocol version does not match"},
	ErrMsgType:            {"KRB_AP_ERR_MSG_TYPE", "unexpected type of message"},
	ErrModified:           {"KRB_AP_ERR_MODIFIED", "the service could not decrypt the ticket: it has another key than the KDC"},
	ErrBadKeyVer:          {"KRB_AP_ERR_BADKEYVER", "the service has no key of this version"},
	ErrNoKey:              {"KRB_AP_ERR_NOKEY", "the service has no key for this ticket"},
	ErrMutFail:            {"KRB_AP_ERR_MUT_FAIL", "mutual authentication failed"},
	ErrInappCksum:         {"KRB_AP_ERR_INAPP_CKSUM", "unsuitable type of checksum"},
	ErrResponseTooBig:     {"KRB_ERR_RESPONSE_TOO_BIG", "the reply does not fit into a datagram"},
	ErrGeneric:            {"KRB_ERR_GENERIC", "an error that the peer describes in its text only"},
	ErrFieldTooLong:       {"KRB_ERR_FIELD_TOOLONG", "the message is too long for the peer"},
	ErrWrongRealm:         {"KDC_ERR_WRONG_REALM", "the client belongs to another realm"},
}

// Name is the code's name in RFC 4120, or "error N".
func (c ErrorCode) Name() string {
	if t, ok := codeTexts[c]; ok {
		return t[0]
	}
	return fmt.Sprintf("error %d", int32(c))
}

// Error is the meaning and the name of the code.
func (c ErrorCode) Error() string {
	if t, ok := codeTexts[c]; ok {
		return t[1] + " (" + t[0] + ")"
	}
	return fmt.Sprintf("Kerberos error %d", int32(c))
}

// KRBError is the message KRB-ERROR (RFC 4120, section 5.9.1). As an error it
// is the code with the peer's text.
type KRBError struct {
	ClientTime time.Time // zero: none
	ServerTime time.Time
	Code       ErrorCode
	Client     principal.Name // zero: none
	Server     principal.Name
	Text       string
	Data       []byte
}

// maxShownText bounds what a peer can have shown, in octets.
const maxShownText = 256

// Error describes the code and repeats the beginning of the peer's text,
// without what could disturb a terminal.
func (m *KRBError) Error() string {
	text := strings.TrimRight(m.Text, "\x00") // C strings arrive with their end
	switch {
	case text == "":
		return m.Code.Error()
	case len(text) > maxShownText:
		return fmt.Sprintf("%s, saying %q (and %d octets more)", m.Code.Error(), text[:maxShownText], len(text)-maxShownText)
	}
	return fmt.Sprintf("%s, saying %q", m.Code.Error(), text)
}

// Unwrap returns the code, for errors.Is.
func (m *KRBError) Unwrap() error { return m.Code }

// Append encodes the message.
func (m *KRBError) Append(dst []byte) []byte {
	w := der.Writer{Buf: dst}
	app := w.Begin(der.App(TypeError))
	seq := w.Begin(der.TagSequence)
	appendHeader(&w, 0, TypeError)
	if !m.ClientTime.IsZero() {
		sec, micro := splitTime(m.ClientTime)
		w.CtxTime(2, sec)
		w.CtxInt(3, micro)
	}
	sec, micro := splitTime(m.ServerTime)
	w.CtxTime(4, sec)
	w.CtxInt(5, micro)
	w.CtxInt(6, int64(m.Code))
	appendOptPrincipal(&w, 7, 8, m.Client)
	w.CtxString(9, m.Server.Realm)
	appendCtxName(&w, 10, m.Server)
	if m.Text != "" {
		w.CtxString(11, m.Text)
	}
	if m.Data != nil {
		w.CtxOctets(12, m.Data)
	}
	w.End(seq)
	w.End(app)
	return w.Buf
}

// IsKRBError reports whether b begins like a KRB-ERROR.
func IsKRBError(b []byte) bool { return len(b) > 0 && b[0] == der.App(TypeError) }

// ParseKRBError reads the message.
func ParseKRBError(b []byte) (*KRBError, error) { return parse("KRB-ERROR", b, readKRBError) }

func readKRBError(r *der.Reader) *KRBError {
	m := new(KRBError)
	seq := message(r, TypeError)
	header(&seq, 0, TypeError)
	m.ClientTime = seq.FieldOptTime(2)
	if seq.HasField(3) {
		micro := fieldMicroseconds(&seq, 3)
		// MIT sends microseconds alone where it does not know the client's time.
		if !m.ClientTime.IsZero() {
			m.ClientTime = m.ClientTime.Add(micro)
		}
	}
	sec := seq.FieldTime(4)
	m.ServerTime = sec.Add(fieldMicroseconds(&seq, 5))
	m.Code = ErrorCode(seq.FieldInt32(6))
	m.Client = fieldsOptPrincipal(&seq, 7, 8)
	m.Server = fieldsPrincipal(&seq, 9, 10)
	if seq.HasField(11) {
		m.Text = seq.FieldString(11)
	}
	if seq.HasField(12) {
		m.Data = seq.FieldOctets(12)
	}
	return m
}
