package spnego

import (
	"encoding/binary"
	"errors"
	"fmt"
	"log"

	"github.com/jcmturner/gokrb5/v8/credentials"
	"github.com/jcmturner/gokrb5/v8/pac"
	"github.com/jcmturner/gokrb5/v8/types"

	"github.com/go-negotiate/negotiate/internal/etype"
	"github.com/go-negotiate/negotiate/internal/krbmsg"
)

// Types of authorization data (RFC 4120, section 7.5.4).
const (
	adIfRelevant = 1
	adWin2kPAC   = 128
)

// addPAC adds to creds what the PAC among the authorization data of a ticket
// tells of the user: groups above all. Without one nothing is added. key is what
// the ticket was encrypted with.
func addPAC(creds *credentials.Credentials, data []krbmsg.TypedData, key *etype.Key, l *log.Logger) error {
	b, err := findPAC(data)
	if err != nil || b == nil {
		return err
	}
	if err := checkPAC(b, key); err != nil {
		return fmt.Errorf("the ticket's PAC: %w", err)
	}
	p, err := decodePAC(b, key, l)
	if err != nil {
		return fmt.Errorf("the ticket's PAC: %w", err)
	}
	info := p.KerbValidationInfo
	creds.SetADCredentials(credentials.ADCredentials{
		GroupMembershipSIDs: info.GetGroupMembershipSIDs(),
		LogOnTime:           info.LogOnTime.Time(),
		LogOffTime:          info.LogOffTime.Time(),
		PasswordLastSet:     info.PasswordLastSet.Time(),
		EffectiveName:       info.EffectiveName.Value,
		FullName:            info.FullName.Value,
		UserID:              int(info.UserID),
		PrimaryGroupID:      int(info.PrimaryGroupID),
		LogonServer:         info.LogonServer.Value,
		LogonDomainName:     info.LogonDomainName.Value,
		LogonDomainID:       info.LogonDomainID.String(),
	})
	return nil
}

// findPAC returns the PAC; nil if there is none.
func findPAC(data []krbmsg.TypedData) ([]byte, error) {
	for _, outer := range data {
		if outer.Type != adIfRelevant {
			continue
		}
		inner, err := krbmsg.ParseTypedData(outer.Data)
		if err != nil {
			return nil, fmt.Errorf("the ticket's authorization data: %w", err)
		}
		for _, d := range inner {
			if d.Type == adWin2kPAC {
				return d.Data, nil
			}
		}
	}
	return nil, nil
}

const (
	pacHeader     = 8  // octets before the table of buffers (MS-PAC, section 2.3)
	pacEntry      = 16 // octets of each entry of it (section 2.4)
	maxPACBuffers = 64

	pacServerSignature = 6
	pacKDCSignature    = 7
)

var errPACTable = errors.New("its table of buffers does not fit its length")

// checkPAC checks that a PAC has the buffers that it says it has, and that the
// server's signature is of key (MS-PAC, section 2.8), before anything of it is
// decoded: the decoder of gokrb5 trusts what it reads.
func checkPAC(b []byte, key *etype.Key) error {
	if len(b) < pacHeader {
		return errPACTable
	}
	n := binary.LittleEndian.Uint32(b)
	if n > maxPACBuffers || uint64(len(b)) < pacHeader+uint64(n)*pacEntry {
		return errPACTable
	}
	signed := append([]byte(nil), b...)
	var signature []byte
	for entry := b[pacHeader : pacHeader+n*pacEntry]; len(entry) > 0; entry = entry[pacEntry:] {
		kind := binary.LittleEndian.Uint32(entry)
		size, offset := uint64(binary.LittleEndian.Uint32(entry[4:])), binary.LittleEndian.Uint64(entry[8:])
		if offset > uint64(len(b)) || size > uint64(len(b))-offset {
			return errPACTable
		}
		if kind != pacServerSignature && kind != pacKDCSignature {
			continue
		}
		sum, err := signatureOf(b[offset : offset+size])
		if err != nil {
			return err
		}
		start := offset + 4
		clear(signed[start : start+uint64(len(sum))])
		if kind == pacServerSignature {
			if signature != nil {
				return errors.New("it has two signatures of the server")
			}
			if int32(binary.LittleEndian.Uint32(b[offset:])) != key.Type().ChecksumType() {
				return errors.New("it is signed with another type of key than the ticket's")
			}
			signature = sum
		}
	}
	if signature == nil {
		return errors.New("it is not signed")
	}
	const usage = 17 // KERB_NON_KERB_CKSUM_SALT
	return key.VerifyChecksum(usage, signed, signature)
}

// signatureOf returns the checksum of a signature buffer: a type, the checksum of
// the length that the type has, and possibly the number of a read-only KDC.
func signatureOf(b []byte) ([]byte, error) {
	if len(b) < 4 {
		return nil, errPACTable
	}
	size := 12
	if int32(binary.LittleEndian.Uint32(b)) == etype.RC4HMAC.ChecksumType() {
		size = 16
	}
	for _, id := range [...]etype.ID{etype.AES128SHA2, etype.AES256SHA2} {
		if int32(binary.LittleEndian.Uint32(b)) == id.ChecksumType() {
			size = id.ChecksumSize()
		}
	}
	if len(b) < 4+size {
		return nil, errPACTable
	}
	return b[4 : 4+size], nil
}

// decodePAC decodes a PAC with gokrb5.
func decodePAC(b []byte, key *etype.Key, l *log.Logger) (p pac.PACType, err error) {
	defer func() {
		if recover() != nil {
			err = errors.New("it is malformed")
		}
	}()
	if err := p.Unmarshal(b); err != nil {
		return p, err
	}
	err = p.ProcessPACInfoBuffers(types.EncryptionKey{KeyType: int32(key.Type()), KeyValue: key.Bytes()}, l)
	if err == nil && p.KerbValidationInfo == nil {
		err = errors.New("it has no logon information")
	}
	return p, err
}
