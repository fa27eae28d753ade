package krb5

import "github.com/go-negotiate/negotiate/gss"

// ImpersonatedUsers is how many users a service's credential remembers.
func ImpersonatedUsers(c gss.Credential) int {
	return c.(*ownCredential).login.users.Len()
}
