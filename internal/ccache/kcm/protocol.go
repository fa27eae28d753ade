package kcm

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/go-negotiate/negotiate/internal/ccache"
	"github.com/go-negotiate/negotiate/internal/principal"
)

// opcode is an operation of the protocol.
type opcode uint16

const (
	opGenNew           opcode = 3  // () -> name
	opInitialize       opcode = 4  // (name, principal) -> ()
	opStore            opcode = 6  // (name, credential) -> ()
	opGetPrincipal     opcode = 8  // (name) -> principal
	opGetCredUUIDList  opcode = 9  // (name) -> UUIDs
	opGetCredByUUID    opcode = 10 // (name, UUID) -> credential
	opGetCacheUUIDList opcode = 18 // () -> UUIDs
	opGetCacheByUUID   opcode = 19 // (UUID) -> name
	opGetDefaultCache  opcode = 20 // () -> name
	opGetKDCOffset     opcode = 22 // (name) -> seconds
	opSetKDCOffset     opcode = 23 // (name, seconds) -> ()
)

// ErrProtocol is what errors wrap for answers that do not follow the protocol.
var ErrProtocol = errors.New("the KCM daemon's answer cannot be understood")

// Error is a daemon's refusal: a number of errno or of MIT's krb5.
type Error struct {
	Code int32
}

// Numbers that mean that there is no such cache, or credential.
const (
	codeCCNotFound = -1765328243 // KRB5_CC_NOTFOUND
	codeCCEnd      = -1765328242 // KRB5_CC_END
	codeNoFile     = -1765328189 // KRB5_FCC_NOFILE
	codePermission = 13          // EACCES
)

// Error tells the number, and what it means where that is of use.
func (e *Error) Error() string {
	switch e.Code {
	case codeCCNotFound, codeCCEnd, codeNoFile:
		return "the KCM daemon has no such cache or ticket"
	case codePermission:
		return "the KCM daemon denies the permission"
	}
	return fmt.Sprintf("the KCM daemon refuses, with error %d", e.Code)
}

// Is makes a missing cache fs.ErrNotExist.
func (e *Error) Is(target error) bool {
	switch e.Code {
	case codeCCNotFound, codeCCEnd, codeNoFile:
		return target == fs.ErrNotExist
	case codePermission:
		return target == fs.ErrPermission
	}
	return false
}

func isNotExist(err error) bool { return errors.Is(err, fs.ErrNotExist) }

// nameArg is a name as an argument.
func nameArg(name string) []byte { return append([]byte(name), 0) }

type uuid [16]byte

const (
	maxUUIDs = 4096
	maxName  = 4096
)

// name makes a call that is answered with a name.
func (c *conn) name(op opcode, args []byte) (string, error) {
	b, err := c.call(op, args)
	if err != nil {
		return "", err
	}
	name, _, ok := bytes.Cut(b, []byte{0})
	if !ok || len(name) == 0 || len(name) > maxName {
		return "", fmt.Errorf("%w: want a name", ErrProtocol)
	}
	return string(name), nil
}

// uuids makes a call that is answered with UUIDs.
func (c *conn) uuids(op opcode, args []byte) ([]uuid, error) {
	b, err := c.call(op, args)
	if err != nil {
		return nil, err
	}
	if len(b)%len(uuid{}) != 0 || len(b) > maxUUIDs*len(uuid{}) {
		return nil, fmt.Errorf("%w: want at most %d UUIDs, it has %d octets", ErrProtocol, maxUUIDs, len(b))
	}
	ids := make([]uuid, 0, len(b)/len(uuid{}))
	for ; len(b) > 0; b = b[len(uuid{}):] {
		ids = append(ids, uuid(b))
	}
	return ids, nil
}

// principal asks whose a cache is. Heimdal's daemon answers with nothing for a
// cache that has not been initialized.
func (c *conn) principal(cache string) (principal.Name, error) {
	b, err := c.call(opGetPrincipal, nameArg(cache))
	if err != nil {
		return principal.Name{}, err
	}
	if len(b) == 0 {
		return principal.Name{}, &Error{codeNoFile}
	}
	return ccache.DecodePrincipal(b)
}

// offset asks how far the KDC's clock is ahead. Not every daemon knows.
func (c *conn) offset(cache string) time.Duration {
	b, err := c.call(opGetKDCOffset, nameArg(cache))
	if err != nil || len(b) < 4 {
		return 0
	}
	return time.Duration(int32(binary.BigEndian.Uint32(b))) * time.Second
}

func (c *conn) setOffset(cache string, offset time.Duration) {
	// A daemon that does not keep it is none the worse for the tickets.
	_, _ = c.call(opSetKDCOffset, binary.BigEndian.AppendUint32(nameArg(cache), uint32(int32(offset/time.Second))))
}

func (c *conn) store(cache string, cred ccache.Credential) error {
	_, err := c.call(opStore, append(nameArg(cache), ccache.EncodeCredential(cred)...))
	return err
}
