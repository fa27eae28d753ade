package krb5

import (
	"fmt"
	"slices"
	"strings"

	"github.com/go-negotiate/negotiate/internal/krbmsg"
)

// errPathNotAccepted is KRB_AP_PATH_NOT_ACCEPTED.
const errPathNotAccepted krbmsg.ErrorCode = 51

// checkTransited returns an error if a ticket's client came through realms that
// are neither approved by the service's KDC, which then says so in the ticket,
// nor on the way that krb5.conf or the realms' names tell (RFC 4120, section
// 2.7).
func (p *Provider) checkTransited(part *krbmsg.EncTicketPart, serverRealm string) error {
	clientRealm := part.Client.Realm
	if len(part.Transited) == 0 || part.Flags&krbmsg.FlagTransited != 0 {
		return nil
	}
	var via []string
	ok := part.TransitedType == krbmsg.TransitedX500
	if ok {
		via, ok = transitedRealms(part.Transited)
	}
	if !ok {
		return fmt.Errorf("the list of realms between %s and %s cannot be understood, and the KDC has not approved it", clientRealm, serverRealm)
	}
	allowed := p.conf.CAPath(clientRealm, serverRealm)
	if allowed == nil {
		allowed = hierarchy(clientRealm, serverRealm)
	}
	for _, realm := range via {
		if realm != clientRealm && realm != serverRealm && !slices.Contains(allowed, realm) {
			return fmt.Errorf("it came from %s to %s through realm %s, which neither the KDC nor [capaths] of krb5.conf approves of", clientRealm, serverRealm, realm)
		}
	}
	return nil
}

// Bounds of one list: its realms and its octets.
const (
	maxTransited     = 64
	maxTransitedSize = 4096
)

// transitedRealms reads a list in the encoding DOMAIN-X500-COMPRESS (RFC 4120,
// section 3.3.3.2). ok is false for one that leaves out realms between two
// others, which nobody is known to send.
func transitedRealms(list []byte) (realms []string, ok bool) {
	if len(list) > maxTransitedSize {
		return nil, false
	}
	for _, field := range splitEscaped(list) {
		previous := ""
		if len(realms) > 0 {
			previous = realms[len(realms)-1]
		}
		switch {
		case field == "" || len(realms) == maxTransited:
			return nil, false
		case field[0] == ' ':
			field = field[1:] // taken as it is
		case field[0] == '/' && previous != "":
			field = previous + field
		case strings.HasSuffix(field, "."):
			field += previous
		}
		realms = append(realms, field)
	}
	return realms, true
}

// splitEscaped splits a list at its commas; a backslash takes the next octet
// literally.
func splitEscaped(list []byte) []string {
	var fields []string
	var b strings.Builder
	for i := 0; i < len(list); i++ {
		switch c := list[i]; {
		case c == ',':
			fields = append(fields, b.String())
			b.Reset()
		case c == '\\' && i+1 < len(list):
			i++
			b.WriteByte(list[i])
		default:
			b.WriteByte(c)
		}
	}
	return append(fields, b.String())
}

// hierarchy returns the realms between two that are named like domains: from one
// up to the nearest that is above both, and down to the other. It is nil if
// there is none above both.
func hierarchy(from, to string) []string {
	common, ok := from, true
	for ; common != to && !strings.HasSuffix(to, "."+common); _, common, ok = strings.Cut(common, ".") {
		if !ok {
			return nil
		}
	}
	var path []string
	for _, realm := range [...]string{from, to} {
		for ; realm != common; _, realm, _ = strings.Cut(realm, ".") {
			path = append(path, realm)
		}
	}
	return append(path, common)
}
