package krbmsg

import (
	"encoding/binary"

	"github.com/go-negotiate/negotiate/internal/der"
)

// NTStatus is a status of Windows, with which Active Directory says more exactly
// than by the code of a KRB-ERROR why it refuses (MS-ERREF, section 2.3).
type NTStatus uint32

// Statuses of an account that cannot log in.
const (
	StatusNoSuchUser         NTStatus = 0xc0000064
	StatusWrongPassword      NTStatus = 0xc000006a
	StatusAccountRestriction NTStatus = 0xc000006e
	StatusInvalidHours       NTStatus = 0xc000006f
	StatusInvalidWorkstation NTStatus = 0xc0000070
	StatusPasswordExpired    NTStatus = 0xc0000071
	StatusAccountDisabled    NTStatus = 0xc0000072
	StatusAccountExpired     NTStatus = 0xc0000193
	StatusMustChange         NTStatus = 0xc0000224
	StatusLockedOut          NTStatus = 0xc0000234
)

// String is the status in words; empty for one that says nothing more than the
// code.
func (s NTStatus) String() string {
	switch s {
	case StatusNoSuchUser:
		return "there is no such account"
	case StatusWrongPassword:
		return "the password is wrong"
	case StatusAccountRestriction:
		return "the account may not be used in this way"
	case StatusInvalidHours:
		return "the account may not be used at this time of day"
	case StatusInvalidWorkstation:
		return "the account may not be used from this machine"
	case StatusPasswordExpired:
		return "the password has expired"
	case StatusAccountDisabled:
		return "the account is disabled"
	case StatusAccountExpired:
		return "the account has expired"
	case StatusMustChange:
		return "the password must be changed before the first login"
	case StatusLockedOut:
		return "the account is locked after too many wrong passwords"
	}
	return ""
}

const (
	extendedError = 3  // KERB_ERR_TYPE_EXTENDED, and the type that it has in METHOD-DATA
	extErrorSize  = 12 // status, reserved, flags
)

// Status returns the status of Windows that the e-data of a KRB-ERROR has, as
// KERB-ERROR-DATA or in METHOD-DATA (MS-KILE, section 2.2.1 and 2.2.2); zero if
// there is none.
func (m *KRBError) Status() NTStatus {
	if len(m.Data) == 0 {
		return 0
	}
	if value, err := parse("KERB-ERROR-DATA", m.Data, readErrorData); err == nil {
		return extStatus(value)
	}
	methods, err := ParseMethodData(m.Data)
	if err != nil {
		return 0
	}
	value, _ := FindPAData(methods, extendedError)
	return extStatus(value)
}

// readErrorData reads KERB-ERROR-DATA, and returns the value of an extended
// error.
func readErrorData(r *der.Reader) (value []byte) {
	seq := r.Sequence()
	typ := seq.FieldInt32(1)
	if seq.HasField(2) {
		value = seq.FieldOctets(2)
	}
	if typ != extendedError {
		return nil
	}
	return value
}

func extStatus(value []byte) NTStatus {
	if len(value) != extErrorSize {
		return 0
	}
	return NTStatus(binary.LittleEndian.Uint32(value))
}
