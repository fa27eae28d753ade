package sspi

import (
	"strings"

	"github.com/go-negotiate/negotiate/gss"
)

// targetName spells the acceptor's name as Windows wants it: HTTP/host, or what
// the caller has written.
func targetName(n gss.Name) (string, error) {
	if n.IsZero() {
		return "", refusal(gss.ErrInvalidName, "initiate", "", "there is no target: name the server, as in HTTP@web.example.com")
	}
	if strings.ContainsRune(n.Value, 0) {
		return "", refusal(gss.ErrInvalidName, "initiate", "", "the target's name has a zero octet")
	}
	if n.Type != gss.NameHostBased {
		return n.Value, nil
	}
	service, host, ok := n.Service()
	if !ok || host == "" {
		return "", refusal(gss.ErrInvalidName, "initiate", "", "%q is no name of a service: want service@host, as in HTTP@web.example.com", n.Value)
	}
	return service + "/" + host, nil
}

// splitUser splits alice@EXAMPLE.COM or DOMAIN\alice. A user without a domain is
// of the machine's.
func splitUser(name string) (user, domain string) {
	if domain, user, ok := strings.Cut(name, `\`); ok {
		return user, domain
	}
	if at := strings.LastIndexByte(name, '@'); at >= 0 {
		return name[:at], name[at+1:]
	}
	return name, ""
}

// userName is the name that Windows gives a client; zero for none.
func userName(s string) gss.Name {
	if s == "" {
		return gss.Name{}
	}
	return gss.User(s)
}

// serviceName is the name that Windows gives a server, HTTP/host@REALM.
func serviceName(s string) gss.Name {
	switch {
	case s == "":
		return gss.Name{}
	case strings.Contains(s, "/"):
		return gss.Principal(s)
	}
	return gss.User(s)
}
