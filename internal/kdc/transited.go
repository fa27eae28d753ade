package kdc

import (
	"slices"
	"strings"

	"github.com/go-negotiate/negotiate/internal/krbmsg"
)

// maxTransited bounds the list of realms in a ticket, in octets.
const maxTransited = 4096

// transit notes in the ticket over which realms its client came, and whether
// all of them are trusted (RFC 4120, section 3.3.3.2).
func (q *request) transit(h *header, t *krbmsg.EncTicketPart) error {
	t.TransitedType, t.Transited = h.part.TransitedType, h.part.Transited
	if len(t.Transited) == 0 {
		t.TransitedType = krbmsg.TransitedX500
	}
	if t.TransitedType != krbmsg.TransitedX500 || len(t.Transited) > maxTransited {
		return refuse(krbmsg.ErrPolicy, "the ticket's list of transited realms cannot be read")
	}
	if via := h.server.Realm; !h.local(q.realm) && via != t.Client.Realm {
		t.Transited = appendRealm(t.Transited, via)
	}
	if q.has(krbmsg.OptDisableTransited) {
		return nil
	}
	trusted := func(realm string) bool { return realm == q.realm.o.Realm || q.realm.knows(realm) }
	realms, ok := splitRealms(t.Transited)
	if ok && !slices.ContainsFunc(realms, func(realm string) bool { return !trusted(realm) }) {
		t.Flags |= krbmsg.FlagTransited
	}
	return nil
}

// appendRealm adds a realm to a list, without compressing it.
func appendRealm(list []byte, realm string) []byte {
	list = slices.Clip(list)
	if len(list) > 0 {
		list = append(list, ',')
	}
	if realm[0] == '/' || realm[0] == ' ' {
		list = append(list, ' ') // not a compressed name
	}
	for _, c := range []byte(realm) {
		if c == ',' || c == '\\' {
			list = append(list, '\\')
		}
		list = append(list, c)
	}
	return list
}

// splitRealms reads a list as appendRealm writes it. ok is false for one that
// another KDC has compressed.
func splitRealms(list []byte) (realms []string, ok bool) {
	if len(list) == 0 {
		return nil, true
	}
	var b strings.Builder
	var compressed bool
	next := func() {
		realm := b.String()
		b.Reset()
		if realm == "" || realm[0] == '/' || strings.HasSuffix(realm, ".") {
			compressed = true
			return
		}
		realms = append(realms, strings.TrimPrefix(realm, " "))
	}
	for i := 0; i < len(list); i++ {
		switch c := list[i]; {
		case c == ',':
			next()
		case c == '\\' && i+1 < len(list):
			i++
			b.WriteByte(list[i])
		default:
			b.WriteByte(c)
		}
	}
	next()
	return realms, !compressed
}
