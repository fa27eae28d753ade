package profile

import (
	"fmt"
	"slices"
	"strings"
)

// Encryption types that the lists of a [Config] may have (RFC 3962, 8009, 4757).
const (
	aes128SHA1 int32 = 17
	aes256SHA1 int32 = 18
	aes128SHA2 int32 = 19
	aes256SHA2 int32 = 20
	rc4HMAC    int32 = 23
)

// DefaultEnctypes returns the encryption types that are used where none are
// configured, preferred first: AES with SHA-1, then with SHA-2, as in MIT.
func DefaultEnctypes() []int32 {
	return []int32{aes256SHA1, aes128SHA1, aes256SHA2, aes128SHA2}
}

// enctypesOf returns the supported encryption types that a word of a list
// stands for. known is false for a word that is no name of any type.
func enctypesOf(word string, def []int32) (types []int32, known bool) {
	switch strings.ToLower(word) {
	case "default":
		return def, true
	case "aes":
		return []int32{aes256SHA1, aes128SHA1, aes256SHA2, aes128SHA2}, true
	case "aes256-cts-hmac-sha1-96", "aes256-cts", "aes256-sha1":
		return []int32{aes256SHA1}, true
	case "aes128-cts-hmac-sha1-96", "aes128-cts", "aes128-sha1":
		return []int32{aes128SHA1}, true
	case "aes256-cts-hmac-sha384-192", "aes256-sha2":
		return []int32{aes256SHA2}, true
	case "aes128-cts-hmac-sha256-128", "aes128-sha2":
		return []int32{aes128SHA2}, true
	case "rc4", "arcfour-hmac", "rc4-hmac", "arcfour-hmac-md5":
		return []int32{rc4HMAC}, true
	case "des", "des3", "camellia",
		"des-cbc-crc", "des-cbc-md4", "des-cbc-md5", "des-hmac-sha1",
		"des3-cbc-raw", "des3-cbc-sha1", "des3-hmac-sha1", "des3-cbc-sha1-kd",
		"arcfour-hmac-exp", "rc4-hmac-exp", "arcfour-hmac-md5-exp",
		"camellia128-cts-cmac", "camellia128-cts", "camellia256-cts-cmac", "camellia256-cts":
		return nil, true // weak or unsupported here
	}
	return nil, false
}

// parseEnctypes reads a list of words that add types or, with "-", remove them.
// unknown has the words that are no name of any type.
func parseEnctypes(list string, def []int32) (types []int32, unknown []string) {
	for _, word := range strings.FieldsFunc(list, func(r rune) bool { return strings.ContainsRune(space+",", r) }) {
		name, remove := strings.CutPrefix(word, "-")
		if !remove {
			name = strings.TrimPrefix(name, "+")
		}
		set, known := enctypesOf(name, def)
		if !known {
			unknown = append(unknown, word)
		}
		for _, t := range set {
			switch has := slices.Contains(types, t); {
			case remove:
				types = slices.DeleteFunc(types, func(u int32) bool { return u == t })
			case !has:
				types = append(types, t)
			}
		}
	}
	return types, unknown
}

// enctypes fills the lists of the config. RC4 is in none of them unless allow_rc4
// or allow_weak_crypto asks for it, as with MIT from 1.21 on.
func (d *defaults) enctypes() (err error) {
	c := d.config
	c.AllowWeakCrypto = d.boolean("allow_weak_crypto", false)
	c.AllowRC4 = d.boolean("allow_rc4", false) || c.AllowWeakCrypto
	def := DefaultEnctypes()
	if c.AllowRC4 {
		def = append(def, rc4HMAC)
	}
	if c.PermittedEnctypes, err = d.enctypeList("permitted_enctypes", def, def); err != nil {
		return err
	}
	if c.DefaultTktEnctypes, err = d.enctypeList("default_tkt_enctypes", c.PermittedEnctypes, def); err != nil {
		return err
	}
	c.DefaultTGSEnctypes, err = d.enctypeList("default_tgs_enctypes", c.PermittedEnctypes, def)
	return err
}

// enctypeList reads one list; absent is what it is when not configured, def what
// the word DEFAULT stands for.
func (d *defaults) enctypeList(name string, absent, def []int32) ([]int32, error) {
	list, ok := d.value(name)
	if !ok {
		return slices.Clone(absent), nil
	}
	types, unknown := parseEnctypes(list, def)
	if len(unknown) > 0 {
		d.config.warn("%s: unknown encryption types %s are passed over", name, strings.Join(unknown, ", "))
	}
	if i := slices.Index(types, rc4HMAC); i >= 0 && !d.config.AllowRC4 {
		types = slices.Delete(types, i, i+1)
		d.config.warn("%s: arcfour-hmac (RC4) is passed over, as allow_weak_crypto = true is not set", name)
	}
	if len(types) == 0 {
		return nil, fmt.Errorf("krb5.conf: %s = %q names no encryption type that is supported here; add aes256-cts-hmac-sha1-96, or remove the relation", name, list)
	}
	return types, nil
}
