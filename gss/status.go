package gss

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
)

// Major is a major status code of RFC 2743, section 1.2.1, with the numbers of
// RFC 2744. It is an error, so that each code is a sentinel:
//
//	if errors.Is(err, gss.ErrNoCred) { ... }
type Major uint32

// Routine errors.
const (
	ErrBadMech             Major = 1 << 16
	ErrInvalidName         Major = 2 << 16
	ErrBadNameType         Major = 3 << 16
	ErrBadBindings         Major = 4 << 16
	ErrBadStatus           Major = 5 << 16
	ErrBadMIC              Major = 6 << 16
	ErrNoCred              Major = 7 << 16
	ErrNoContext           Major = 8 << 16
	ErrDefectiveToken      Major = 9 << 16
	ErrDefectiveCredential Major = 10 << 16
	ErrCredentialsExpired  Major = 11 << 16
	ErrContextExpired      Major = 12 << 16
	ErrFailure             Major = 13 << 16
	ErrBadQOP              Major = 14 << 16
	ErrUnauthorized        Major = 15 << 16
	ErrUnavailable         Major = 16 << 16
	ErrDuplicateElement    Major = 17 << 16
	ErrNameNotMN           Major = 18 << 16
)

// Supplementary bits. They may stand beside a routine error: a replayed
// token is reported as ErrDuplicateToken, also where a routine error is set.
const (
	ErrDuplicateToken Major = 1 << 1
	ErrOldToken       Major = 1 << 2
	ErrUnseqToken     Major = 1 << 3
	ErrGapToken       Major = 1 << 4
)

const routineMask Major = 0xff << 16

var majorText = map[Major]string{
	ErrBadMech:             "unsupported mechanism",
	ErrInvalidName:         "invalid name",
	ErrBadNameType:         "unsupported name type",
	ErrBadBindings:         "channel bindings do not match",
	ErrBadStatus:           "invalid status code",
	ErrBadMIC:              "token has an invalid signature",
	ErrNoCred:              "no usable credential",
	ErrNoContext:           "no established context",
	ErrDefectiveToken:      "defective token",
	ErrDefectiveCredential: "defective credential",
	ErrCredentialsExpired:  "credential has expired",
	ErrContextExpired:      "context has expired",
	ErrFailure:             "failure in the mechanism",
	ErrBadQOP:              "unsupported quality of protection",
	ErrUnauthorized:        "not authorised",
	ErrUnavailable:         "not available",
	ErrDuplicateElement:    "duplicate credential element",
	ErrNameNotMN:           "name is not of one mechanism",
	ErrDuplicateToken:      "token is a duplicate",
	ErrOldToken:            "token is too old",
	ErrUnseqToken:          "token is out of sequence",
	ErrGapToken:            "an earlier token is missing",
}

// Error describes the code, and the supplementary bits beside it, in a few
// words.
func (m Major) Error() string {
	var parts []string
	for _, code := range []Major{m & routineMask, m & ErrDuplicateToken, m & ErrOldToken, m & ErrUnseqToken, m & ErrGapToken} {
		if s, ok := majorText[code]; ok {
			parts = append(parts, s)
		}
	}
	if len(parts) == 0 {
		return fmt.Sprintf("GSS-API status %#x", uint32(m))
	}
	return strings.Join(parts, ", ")
}

// Is reports whether target is the code of m, or one of its supplementary bits,
// so that errors.Is finds either in a status that has both.
func (m Major) Is(target error) bool {
	t, ok := target.(Major)
	return ok && m.matches(t)
}

// matches reports whether m carries the code and the bits of target.
func (m Major) matches(target Major) bool {
	if r := target & routineMask; r != 0 && m&routineMask != r {
		return false
	}
	bits := target &^ routineMask
	return target != 0 && m&bits == bits
}

// Error is a failure of a provider. It never holds a token, a key or a
// password.
type Error struct {
	// Major is the status code; zero is shown as a plain failure.
	Major Major
	// Minor is the mechanism's own code: for krb5 the KRB-ERROR code, the
	// library's minor status for libgssapi, the SECURITY_STATUS for SSPI. Zero
	// means none.
	Minor uint32
	// Mech is the mechanism that failed; empty if none was reached.
	Mech OID
	// Op names what was attempted, such as "initiate" or "acquire".
	Op string
	// Err is the cause in words that help a person; nil if Major says it all.
	Err error
}

// Error reads "initiate (krb5): no usable credential: CAUSE".
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Op)
	if e.Mech != "" {
		fmt.Fprintf(&b, " (%s)", e.Mech.Describe())
	}
	if b.Len() > 0 {
		b.WriteString(": ")
	}
	major := e.major()
	if e.Err == nil {
		b.WriteString(major.Error())
		return b.String()
	}
	if major != ErrFailure { // that says nothing which the cause does not say
		b.WriteString(major.Error())
		b.WriteString(": ")
	}
	b.WriteString(printable(e.Err.Error()))
	return b.String()
}

// printable escapes what could disturb a terminal or a log: causes repeat names
// and texts that a peer has sent.
func printable(s string) string {
	if strings.IndexFunc(s, isControl) < 0 {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		if isControl(r) {
			b.WriteString(strings.Trim(strconv.QuoteRune(r), "'"))
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}

func isControl(r rune) bool { return !unicode.IsPrint(r) }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// major is the code that e is shown as.
func (e *Error) major() Major {
	if e.Major == 0 {
		return ErrFailure
	}
	return e.Major
}

// Is reports whether target is the Major code of e, or one of its
// supplementary bits, so that errors.Is works on the sentinels.
func (e *Error) Is(target error) bool { return e.major().Is(target) }

// MajorOf returns the code of the first *Error or Major in err's tree that has
// one; zero for nil, ErrFailure for an error of any other kind.
func MajorOf(err error) Major {
	if err == nil {
		return 0
	}
	if m := firstMajor(err); m != 0 {
		return m
	}
	return ErrFailure
}

// firstMajor walks err's tree as errors.Is does. errors.As cannot look for two
// types at once, nor go on behind an *Error without a code.
func firstMajor(err error) Major {
	switch e := err.(type) {
	case Major:
		return e
	case *Error:
		if e.Major != 0 {
			return e.Major
		}
	}
	switch e := err.(type) {
	case interface{ Unwrap() error }:
		return firstMajor(e.Unwrap())
	case interface{ Unwrap() []error }:
		for _, inner := range e.Unwrap() {
			if m := firstMajor(inner); m != 0 {
				return m
			}
		}
	}
	return 0
}
