package keyring

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// maxPayload is how many octets a key has at most: the kernel's bound for big_key.
const maxPayload = 1<<20 + 1

// linux is the kernel.
type linux struct{}

func newKernel() kernel { return linux{} }

func (linux) euid() int { return os.Geteuid() }

func (linux) persistent(uid int) (int, error) {
	return result(unix.KeyctlInt(unix.KEYCTL_GET_PERSISTENT, uid, threadKeyring, 0, 0))
}

func (linux) id(ring int) (int, error) { return result(unix.KeyctlGetKeyringID(ring, false)) }

func (linux) search(ring int, typ, description string, link int) (int, error) {
	return result(unix.KeyctlSearch(ring, typ, description, link))
}

func (linux) add(typ, description string, payload []byte, ring int) (int, error) {
	return result(unix.AddKey(typ, description, payload, ring))
}

func (linux) link(key, ring int) error {
	_, err := result(unix.KeyctlInt(unix.KEYCTL_LINK, key, ring, 0, 0))
	return err
}

func (linux) clear(ring int) error {
	_, err := result(unix.KeyctlInt(unix.KEYCTL_CLEAR, ring, 0, 0, 0))
	return err
}

func (linux) expire(key, seconds int) error {
	_, err := result(unix.KeyctlInt(unix.KEYCTL_SET_TIMEOUT, key, seconds, 0, 0))
	return err
}

// read asks again where the content does not fit, which may grow meanwhile.
func (linux) read(key int) ([]byte, error) {
	for size := 4096; ; {
		b := make([]byte, size)
		n, err := result(unix.KeyctlBuffer(unix.KEYCTL_READ, key, b, 0))
		switch {
		case err != nil:
			return nil, err
		case n <= size:
			return b[:n], nil
		case n > maxPayload:
			return nil, fmt.Errorf("a key has %d octets, at most %d are read", n, maxPayload)
		}
		clear(b)
		size = n
	}
}

// describe takes "type;uid;gid;permissions;description" apart.
func (linux) describe(key int) (typ, description string, err error) {
	text, err := unix.KeyctlString(unix.KEYCTL_DESCRIBE, key)
	if _, err = result(0, err); err != nil {
		return "", "", err
	}
	parts := strings.SplitN(text, ";", 5)
	if len(parts) < 5 {
		return "", "", fmt.Errorf("the kernel describes a key as %q", text)
	}
	return parts[0], parts[4], nil
}

// result puts the errors of the kernel into words.
func result(n int, err error) (int, error) {
	errno, ok := errors.AsType[unix.Errno](err)
	if !ok {
		return n, err
	}
	switch errno {
	case unix.ENOKEY, unix.EKEYEXPIRED, unix.EKEYREVOKED:
		return n, fmt.Errorf("%w: %w", fs.ErrNotExist, err)
	case unix.EINVAL, unix.ENODEV, unix.EOPNOTSUPP:
		return n, fmt.Errorf("%w: %w", errors.ErrUnsupported, err)
	case unix.ENOSYS, unix.EPERM:
		return n, fmt.Errorf("%w: %w", ErrUnsupported, err)
	case unix.EDQUOT:
		return n, fmt.Errorf("the user's quota of keys is used up (/proc/sys/kernel/keys): %w", err)
	}
	return n, err
}
