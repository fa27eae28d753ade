package profile

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

func (c *Config) warn(format string, args ...any) {
	c.Warnings = append(c.Warnings, fmt.Sprintf(format, args...))
}

// defaults reads [libdefaults].
type defaults struct {
	config *Config
	env    Environment
	realm  string // its subsection comes first; "" for relations of no realm
}

func (d *defaults) value(name string) (string, bool) {
	if d.realm != "" {
		if v, ok := d.config.profile.Value("libdefaults", d.realm, name); ok {
			return v, true
		}
	}
	return d.config.profile.Value("libdefaults", name)
}

func (d *defaults) boolean(name string, def bool) bool {
	v, ok := d.value(name)
	if !ok {
		return def
	}
	b, ok := parseBool(v)
	if !ok {
		d.config.warn("%s = %q: want true or false; %t is used", name, v, def)
		return def
	}
	return b
}

// parseBool knows MIT's words.
func parseBool(s string) (value, ok bool) {
	switch strings.ToLower(s) {
	case "y", "yes", "true", "t", "1", "on":
		return true, true
	case "n", "no", "false", "nil", "0", "off":
		return false, true
	}
	return false, false
}

func (d *defaults) canonicalization(name string) Canonicalization {
	v, ok := d.value(name)
	if !ok {
		return CanonicalizeNever
	}
	if strings.EqualFold(v, "fallback") {
		return CanonicalizeFallback
	}
	b, ok := parseBool(v)
	switch {
	case !ok:
		d.config.warn("%s = %q: want true, false or fallback; false is used", name, v)
	case b:
		return CanonicalizeAlways
	}
	return CanonicalizeNever
}

func (d *defaults) integer(name string, def int) int {
	v, ok := d.value(name)
	if !ok {
		return def
	}
	n, err := strconv.ParseInt(v, 10, 32)
	if err != nil || n < 0 {
		d.config.warn("%s = %q: want a whole number, not negative; %d is used", name, v, def)
		return def
	}
	return int(n)
}

func (d *defaults) duration(name string, def time.Duration) time.Duration {
	v, ok := d.value(name)
	if !ok {
		return def
	}
	t, err := ParseDuration(v)
	if err != nil {
		d.config.warn("%s: %v; %v is used", name, err, def)
		return def
	}
	return t
}

func (d *defaults) expanded(name string) string {
	v, ok := d.value(name)
	if !ok {
		return ""
	}
	s, err := d.env.Expand(v)
	if err != nil {
		d.config.warn("%s: %v; the setting is not used", name, err)
		return ""
	}
	return s
}
