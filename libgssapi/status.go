package libgssapi

import (
	"cmp"
	"slices"
	"strings"

	"github.com/go-negotiate/negotiate/gss"
)

// Status is what the library says of a failure in words. It is the Err of the
// [gss.Error] that a method returns, for errors.As.
type Status struct {
	// Major are the texts of the major status, such as "Unspecified GSS failure.
	// Minor code may provide more information".
	Major []string
	// Minor are the texts of the mechanism's own status, such as "No Kerberos
	// credentials available"; none if there is no such status.
	Minor []string
}

// Error joins the texts, the mechanism's own last.
func (s *Status) Error() string {
	texts := slices.Concat(s.Major, s.Minor)
	for i, t := range texts {
		texts[i] = strings.TrimRight(t, ". \n")
	}
	return cmp.Or(strings.Join(texts, ": "), "the library gives no reason")
}

// Parts of a major status (RFC 2744, section 3.9.1).
const (
	callingMask       = 0xff << 24
	routineMask       = 0xff << 16
	continueNeeded    = 1 << 0
	supplementaryMask = uint32(gss.ErrDuplicateToken | gss.ErrOldToken | gss.ErrUnseqToken | gss.ErrGapToken)
)

// failed reports whether a major status is an error.
func failed(major uint32) bool { return major&(callingMask|routineMask) != 0 }

// refused is failed for contexts and messages, where duplicates and the like
// are refused too.
func refused(major uint32) bool { return failed(major) || major&supplementaryMask != 0 }

// Minor statuses that both libraries take from Kerberos' table of errors, whose
// members are this and the codes of KRB-ERROR.
const (
	krb5ErrorBase     int32 = -1765328384
	krbAPErrRepeat          = krb5ErrorBase + 34
	krbAPErrTktExpire       = krb5ErrorBase + 32
)

// failure makes an error of a status. It has to run on the thread that made the
// failing call, since the library keeps texts by thread.
func (l *library) failure(op string, mech gss.OID, major, minor uint32) error {
	code := gss.Major(major) & (routineMask | gss.Major(supplementaryMask))
	if code&routineMask == 0 && failed(major) {
		code |= gss.ErrFailure // what was asked of the library makes no sense to it
	}
	speaker := cmp.Or(mech, gss.MechKRB5) // Heimdal explains no status of nobody's
	status := &Status{Major: l.displayAll(major&^continueNeeded, 1, speaker)}
	if minor != 0 {
		status.Minor = l.displayAll(minor, 2, speaker)
	}
	if code&routineMask == gss.ErrFailure { // what the libraries call these, too
		switch {
		case int32(minor) == krbAPErrRepeat, slices.Contains(status.Minor, l.replayText()):
			code |= gss.ErrDuplicateToken
		case int32(minor) == krbAPErrTktExpire:
			code = code&^routineMask | gss.ErrCredentialsExpired
		}
	}
	return &gss.Error{Major: code, Minor: minor, Mech: mech, Op: op, Err: status}
}

// replayText is what Kerberos says of a replay. Below SPNEGO, MIT's library gives
// the status another number than Kerberos has.
func (l *library) replayText() string {
	if l.errorMessage == 0 {
		return "no text"
	}
	code := krbAPErrRepeat // no constant: it is negative
	return cString(pointerTo(call(l.errorMessage, uintptr(code))))
}

// maxTexts bounds how many texts one status has.
const maxTexts = 8

// displayAll returns the texts of a status: of a major one if kind is 1, of a
// mechanism's if it is 2.
func (l *library) displayAll(status uint32, kind uintptr, mech gss.OID) []string {
	var m memory
	defer m.release()
	out := &struct {
		minor, context uint32
		text           buffer
	}{}
	pin(&m, out)
	var texts []string
	for range maxTexts {
		major := uint32(call(l.displayStatus, pin(&m, &out.minor), uintptr(status), kind, uintptr(l.mechs[mech]), pin(&m, &out.context), pin(&m, &out.text)))
		if failed(major) {
			break
		}
		if text := strings.Trim(string(l.take(&m, &out.text)), " \x00"); text != "" { // MIT counts C's final zero
			texts = append(texts, text)
		}
		if out.context == 0 {
			break
		}
	}
	return texts
}

// take copies a buffer that the library has made, and releases it.
func (l *library) take(m *memory, b *buffer) []byte {
	if b.value == nil {
		return nil
	}
	out := goBytes(b)
	minor := new(uint32)
	call(l.releaseBuffer, pin(m, minor), pin(m, b))
	return out
}
