package krb5

import "github.com/go-negotiate/negotiate/gss"

// ImpersonatedUsers is how many users a service's credential remembers.
func ImpersonatedUsers(c gss.Credential) int {
	l := c.(*ownCredential).login
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.users)
}
