//go:build interop

package interop

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"time"
)

// endCCache rewrites a credential cache file of version 4, as MIT's kinit
// writes it, so that each of its tickets ends at end. It knows the format by
// itself: what the module's own reader misunderstands, it must not hide.
func endCCache(path string, end time.Time) error {
	content, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("interop: %w", err)
	}
	c := &ccacheCursor{rest: content}
	if version := c.bytes(2); len(version) != 2 || version[0] != 5 || version[1] != 4 {
		return fmt.Errorf("interop: %s: not a credential cache of version 4", path)
	}
	c.bytes(int(binary.BigEndian.Uint16(c.bytes(2))))
	c.principal()
	for !c.failed && len(c.rest) > 0 {
		c.principal()
		c.principal()
		c.bytes(2)
		c.counted()
		times := c.bytes(16) // authtime, starttime, endtime, renew_till
		for i, t := range []time.Time{end.Add(-2 * time.Hour), end.Add(-2 * time.Hour), end, end} {
			binary.BigEndian.PutUint32(times[4*i:], uint32(t.Unix()))
		}
		c.bytes(1 + 4) // is_skey, flags
		c.list()       // addresses
		c.list()       // authorization data
		c.counted()    // ticket
		c.counted()    // second ticket
	}
	if c.failed {
		return fmt.Errorf("interop: %s: %w", path, errors.ErrUnsupported)
	}
	if err := os.WriteFile(path, content, 0o600); err != nil {
		return fmt.Errorf("interop: %w", err)
	}
	return nil
}

// ccacheCursor reads on through a cache's bytes. After a failure it returns
// zeros.
type ccacheCursor struct {
	rest   []byte
	failed bool
}

func (c *ccacheCursor) bytes(n int) []byte {
	if n < 0 || n > len(c.rest) {
		c.failed, c.rest = true, nil
		return make([]byte, min(max(n, 0), 16))
	}
	b := c.rest[:n]
	c.rest = c.rest[n:]
	return b
}

func (c *ccacheCursor) number() int { return int(binary.BigEndian.Uint32(c.bytes(4))) }

func (c *ccacheCursor) counted() { c.bytes(c.number()) }

func (c *ccacheCursor) principal() {
	c.bytes(4) // name type
	components := c.number()
	for range components + 1 { // and the realm
		if c.failed {
			return
		}
		c.counted()
	}
}

func (c *ccacheCursor) list() {
	for range c.number() {
		if c.failed {
			return
		}
		c.bytes(2)
		c.counted()
	}
}
