package keyring

import (
	"encoding/binary"
	"errors"
	"time"
)

// Descriptions of keys with a meaning.
const (
	keyPrimary   = "krb_ccache:primary"    // in a collection
	keyPrincipal = "__krb5_princ__"        // in a cache
	keyOffsets   = "__krb5_time_offsets__" // in a cache
)

const primaryVersion = 1

var errPrimary = errors.New("the key that names the primary cache cannot be understood")

// parsePrimary reads the name of a collection's primary cache.
func parsePrimary(b []byte) (string, error) {
	if len(b) < 8 || binary.BigEndian.Uint32(b) != primaryVersion {
		return "", errPrimary
	}
	size := binary.BigEndian.Uint32(b[4:])
	if uint64(size) > uint64(len(b)-8) || size == 0 || size > maxName {
		return "", errPrimary
	}
	return string(b[8 : 8+size]), nil
}

func encodePrimary(cache string) []byte {
	b := binary.BigEndian.AppendUint32(nil, primaryVersion)
	b = binary.BigEndian.AppendUint32(b, uint32(len(cache)))
	return append(b, cache...)
}

// parseOffset reads how far the KDC's clock is ahead; zero if b is no such thing.
func parseOffset(b []byte) time.Duration {
	if len(b) < 8 {
		return 0
	}
	sec, usec := int32(binary.BigEndian.Uint32(b)), int32(binary.BigEndian.Uint32(b[4:]))
	return time.Duration(sec)*time.Second + time.Duration(usec)*time.Microsecond
}

func encodeOffset(d time.Duration) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(int32(d/time.Second)))
	return binary.BigEndian.AppendUint32(b, uint32(int32(d%time.Second/time.Microsecond)))
}

// parseMembers reads the numbers of a keyring's members.
func parseMembers(b []byte) []int {
	var keys []int
	for ; len(b) >= 4; b = b[4:] {
		keys = append(keys, int(int32(binary.NativeEndian.Uint32(b))))
	}
	return keys
}
