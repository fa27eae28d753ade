//go:build !interop

package krb5

import "time"

// The same is in patience_interop.go, for the tests of other packages.

// BePatient has requests wait for the next ticket, and for the cache that it is
// written to, however slow the machine is.
func BePatient(p *Provider) { p.replaceTimeout, p.writeTimeout = time.Hour, time.Hour }

// WaitForCaches is BePatient for caches that somebody is writing. It returns what
// undoes it.
func WaitForCaches(p *Provider) (stop func()) {
	p.settleTime = 5 * time.Minute
	return func() { p.settleTime = settleTime }
}
