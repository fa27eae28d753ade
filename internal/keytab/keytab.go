// Package keytab reads and writes keytabs, the files in which services keep
// their long-term keys, in MIT's format (versions 0x0501 and 0x0502).
package keytab

import (
	"slices"

	"github.com/go-negotiate/negotiate/internal/filestamp"
	"github.com/go-negotiate/negotiate/internal/principal"
)

// maxFile bounds a keytab's size in octets; a key takes about 100 of them.
const maxFile = 16 << 20

// Stamp identifies a version of a keytab's file; see [filestamp.Stamp].
type Stamp = filestamp.Stamp

// Keytab is the content of a keytab, in the order of the file. The zero Keytab
// is empty. It may be read by several goroutines at once.
type Keytab struct {
	Entries []Entry
}

// Lookup returns the key of a principal with the given version and encryption
// type. A kvno of 0 stands for the newest version. A key whose file recorded
// only the low 8 bits of its version, as old files do, is found by those bits.
func (k *Keytab) Lookup(name principal.Name, kvno uint32, keyType int32) (Entry, bool) {
	var best Entry
	found := false
	for _, e := range k.Entries {
		if e.KeyType != keyType || !e.Principal.Equal(name) {
			continue
		}
		switch {
		case kvno != 0 && e.KVNO == kvno:
			return e, true
		case kvno != 0 && e.KVNO == kvno&0xff:
			best, found = e, true
		case kvno == 0 && (!found || newer(e, best)):
			best, found = e, true
		}
	}
	return best, found
}

// Newest returns a principal's keys of the newest version, which are those to log
// in with: older ones of other types are not the KDC's any more.
func (k *Keytab) Newest(name principal.Name) []Entry {
	var newest []Entry
	for _, e := range k.Entries {
		switch {
		case !e.Principal.Equal(name):
		case len(newest) == 0 || newer(e, newest[0]):
			newest = []Entry{e}
		case e.KVNO == newest[0].KVNO:
			newest = append(newest, e)
		}
	}
	return newest
}

// newer tells whether e replaces f. In files that keep 8 bits of a version, a
// small one that was not written before a large one has probably wrapped
// around. The bounds are MIT's.
func newer(e, f Entry) bool {
	wrapped := func(small, large Entry) bool {
		return small.KVNO < 128 && large.KVNO > 240 && !small.Timestamp.Before(large.Timestamp)
	}
	switch {
	case wrapped(e, f):
		return true
	case wrapped(f, e):
		return false
	}
	return e.KVNO > f.KVNO
}

// Principals returns the names that have keys, each once, in file order.
func (k *Keytab) Principals() []principal.Name {
	var names []principal.Name
	for _, e := range k.Entries {
		if !slices.ContainsFunc(names, e.Principal.Equal) {
			names = append(names, e.Principal)
		}
	}
	return names
}
