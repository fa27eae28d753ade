package profile

import (
	"slices"
	"strings"
	"testing"
)

// The lists are those of MIT's krb5_get_permitted_enctypes without the types
// that are not supported here, and with RC4 by DEFAULT on demand only.
func TestEnctypes(t *testing.T) {
	for text, want := range map[string][]int32{
		"":                                  {18, 17, 20, 19},
		"permitted_enctypes = DEFAULT":      {18, 17, 20, 19},
		"permitted_enctypes = DEFAULT -rc4": {18, 17, 20, 19},
		"allow_rc4 = 1\npermitted_enctypes = aes256-cts rc4":                                                      {18, 23},
		"allow_rc4 = 1\npermitted_enctypes = rc4-hmac":                                                            {23},
		"allow_rc4 = 1\npermitted_enctypes = DEFAULT +rc4":                                                        {18, 17, 20, 19, 23},
		"permitted_enctypes = aes":                                                                                {18, 17, 20, 19},
		"permitted_enctypes = DEFAULT -aes128-cts":                                                                {18, 20, 19},
		"permitted_enctypes = -aes256-cts DEFAULT":                                                                {18, 17, 20, 19},
		"permitted_enctypes = AES256-CTS,aes128-cts":                                                              {18, 17},
		"permitted_enctypes = aes256-cts aes256-sha1 aes256-cts-hmac-sha1-96 aes128-sha1 aes128-cts-hmac-sha1-96": {18, 17},
		"permitted_enctypes = aes128-sha2 aes128-cts-hmac-sha256-128 aes256-sha2\taes256-cts-hmac-sha384-192":     {19, 20},
		"permitted_enctypes = camellia des3 des-cbc-crc arcfour-hmac-exp aes128-cts":                              {17},
		"permitted_enctypes = aes256-cts arcfour-hmac-md5 -arcfour-hmac":                                          {18},
		"allow_rc4 = true":                                             {18, 17, 20, 19, 23},
		"allow_weak_crypto = true":                                     {18, 17, 20, 19, 23},
		"allow_rc4 = 1\npermitted_enctypes = aes":                      {18, 17, 20, 19},
		"allow_rc4 = 1\npermitted_enctypes = -aes256-cts DEFAULT -aes": {23},
	} {
		c := configOf(t, "[libdefaults]\n"+text+"\n")
		if !slices.Equal(c.PermittedEnctypes, want) || !slices.Equal(c.DefaultTktEnctypes, want) || !slices.Equal(c.DefaultTGSEnctypes, want) {
			t.Errorf("%s: permitted %v, for tickets %v, from the TGS %v; want %v", text, c.PermittedEnctypes, c.DefaultTktEnctypes, c.DefaultTGSEnctypes, want)
		}
		if c.Warnings != nil {
			t.Errorf("%s: warnings %q", text, c.Warnings)
		}
	}
}

func TestEnctypesApart(t *testing.T) {
	c := configOf(t, "[libdefaults]\npermitted_enctypes = aes256-cts aes128-cts\ndefault_tgs_enctypes = aes128-cts\ndefault_tkt_enctypes = DEFAULT\n")
	if !slices.Equal(c.DefaultTGSEnctypes, []int32{17}) || !slices.Equal(c.DefaultTktEnctypes, []int32{18, 17, 20, 19}) || !slices.Equal(c.PermittedEnctypes, []int32{18, 17}) {
		t.Errorf("got %+v", c)
	}
	c = configOf(t, "")
	c.DefaultTktEnctypes[0] = 99
	if c.PermittedEnctypes[0] != 18 || DefaultEnctypes()[0] != 18 {
		t.Error("changing one list changes another")
	}
}

func TestEnctypesUnknown(t *testing.T) {
	c := configOf(t, "[libdefaults]\npermitted_enctypes = junk aes128-sha2\n")
	if !slices.Equal(c.PermittedEnctypes, []int32{19}) || len(c.Warnings) != 1 || !strings.Contains(c.Warnings[0], "junk") {
		t.Errorf("got %v, warnings %q", c.PermittedEnctypes, c.Warnings)
	}
}

// TestRC4IsAskedForByItsName has a list alone not bring RC4.
func TestRC4IsAskedForByItsName(t *testing.T) {
	for _, name := range []string{"permitted_enctypes", "default_tkt_enctypes", "default_tgs_enctypes"} {
		c := configOf(t, "[libdefaults]\nallow_weak_crypto = false\n"+name+" = arcfour-hmac aes256-cts\n")
		for _, list := range [][]int32{c.PermittedEnctypes, c.DefaultTktEnctypes, c.DefaultTGSEnctypes} {
			if slices.Contains(list, rc4HMAC) {
				t.Errorf("%s: got %v", name, list)
			}
		}
		if len(c.Warnings) != 1 || !strings.Contains(c.Warnings[0], name+": arcfour-hmac") || !strings.Contains(c.Warnings[0], "allow_weak_crypto = true") {
			t.Errorf("%s: warnings %q", name, c.Warnings)
		}
	}
}

func TestEnctypesNone(t *testing.T) {
	for _, list := range []string{"des-cbc-crc", "junk", "aes -aes", "rc4"} {
		for _, name := range []string{"permitted_enctypes", "default_tkt_enctypes", "default_tgs_enctypes"} {
			p := parse(t, "[libdefaults]\n"+name+" = "+list+"\n")
			c, err := NewConfig(p, testEnvironment())
			if err == nil || !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), list) {
				t.Errorf("%s = %s: got %v, %v; want an error that names both", name, list, c, err)
			}
		}
	}
}
