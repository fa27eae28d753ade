package krbtest

import (
	"os"
	"slices"

	"github.com/go-negotiate/negotiate/internal/kdc"
)

// reachable returns the other KDCs that are trusted, directly or by way of
// others.
func (k *KDC) reachable() []*KDC {
	found := []*KDC{k}
	for i := 0; i < len(found); i++ {
		for _, other := range found[i].neighbours() {
			if !slices.Contains(found, other) {
				found = append(found, other)
			}
		}
	}
	return found[1:]
}

func (k *KDC) neighbours() []*KDC {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Clone(k.trusting)
}

// Trust makes two realms trust each other: clients of each have tickets for
// services of the other, and of realms that it trusts. A client that asks for a
// host of the other's domain is referred to it. Both krb5.conf files name both
// KDCs from now on.
func (k *KDC) Trust(other *KDC) {
	k.tb.Helper()
	k.check(kdc.Trust(k.realm, other.realm))
	for _, pair := range [][2]*KDC{{k, other}, {other, k}} {
		pair[0].mu.Lock()
		pair[0].trusting = append(pair[0].trusting, pair[1])
		pair[0].mu.Unlock()
	}
	for _, one := range append(k.reachable(), k) {
		one.mu.Lock()
		written := one.hasConf
		one.mu.Unlock()
		if _, err := os.Stat(one.dir); written && err == nil {
			one.writeConfig()
		}
	}
}

// MapDomain tells that the hosts of a DNS domain are in another realm, for a
// KDC that is not of this package. The two trust each other when both have the
// principals krbtgt/THERE@HERE and krbtgt/HERE@THERE with the same passwords,
// here by AddPrincipal.
func (k *KDC) MapDomain(domain, realm string) {
	k.tb.Helper()
	k.check(k.realm.MapDomain(domain, realm))
}
