package keyring

import (
	"fmt"
	"strconv"
	"strings"
)

// Anchors: whose keyring the collection is in.
const (
	anchorPersistent = "persistent"
	anchorSession    = "session"
	anchorUser       = "user"
	anchorLegacy     = "legacy" // the session's, for names without an anchor
	anchorProcess    = "process"
	anchorThread     = "thread"
)

// name is a name's parts.
type name struct {
	anchor     string
	collection string
	uid        int    // that collection stands for, if the anchor is persistent
	cache      string // "": the collection
}

// maxName is how long a key's description can be.
const maxName = 4000

func parseName(residual string) (name, error) {
	if len(residual) > maxName || strings.Contains(residual, "\x00") {
		return name{}, fmt.Errorf("the name of the KEYRING: cache is no key's")
	}
	n := name{anchor: anchorLegacy}
	rest := residual
	if anchor, after, ok := strings.Cut(residual, ":"); ok {
		n.anchor, rest = anchor, after
	}
	n.collection, n.cache, _ = strings.Cut(rest, ":")
	switch n.anchor {
	case anchorSession, anchorUser:
	case anchorLegacy:
		if n.collection == "" {
			return name{}, fmt.Errorf("KEYRING:%s names no keyring; want one as in KEYRING:session:name", residual)
		}
	case anchorPersistent:
		var err error
		if n.collection != "" {
			if n.uid, err = strconv.Atoi(n.collection); err != nil || n.uid < 0 {
				return name{}, fmt.Errorf("KEYRING:%s: want KEYRING:persistent:UID, with the number of a user", residual)
			}
		}
	case anchorProcess, anchorThread:
		return name{}, fmt.Errorf("KEYRING:%s: the keys of a %s belong to one thread of a program, and no other reads them: use MEMORY: within a program, KEYRING:session: or KEYRING:user: beyond it", residual, n.anchor)
	default:
		return name{}, fmt.Errorf("KEYRING:%s: %q is no keyring; want persistent, session or user", residual, n.anchor)
	}
	return n, nil
}

// String is the name as MIT writes it.
func (n name) String() string {
	s := "KEYRING:" + n.anchor + ":" + n.collection
	if n.cache != "" {
		s += ":" + n.cache
	}
	return s
}
