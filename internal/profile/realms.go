package profile

import (
	"fmt"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// Ports that a server has when none is given.
const (
	portKDC     = 88
	portKpasswd = 464
	portKadmin  = 749
	portHTTPS   = 443
)

// Server is where a service of a realm listens.
type Server struct {
	Proto string // "udp", "tcp", "" for both, or "https" for a KDC proxy
	Host  string // a name or an address, without brackets
	Port  uint16
	URL   string // of a KDC proxy (MS-KKDCP), whole; else ""
}

// String returns the server as krb5.conf writes it.
func (s Server) String() string {
	if s.URL != "" {
		return s.URL
	}
	host := s.Host
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	text := host + ":" + strconv.Itoa(int(s.Port))
	if s.Proto != "" {
		text = s.Proto + "/" + text
	}
	return text
}

// Realm is what [realms] has about one realm. Without entry in the file all of
// it is empty but the name.
type Realm struct {
	Name           string
	KDCs           []Server
	PrimaryKDCs    []Server // primary_kdc and master_kdc
	KpasswdServers []Server // if absent, AdminServers at port 464
	AdminServers   []Server
	AuthToLocal    []string          // rules, raw
	LocalNames     map[string]string // auth_to_local_names
	HTTPAnchors    []string          // certificates of KDC proxies, raw
	DefaultDomain  string
}

// Realm returns what is configured about a realm. Names are case-sensitive.
func (c *Config) Realm(name string) Realm {
	if r, ok := c.realms[name]; ok {
		return r
	}
	return Realm{Name: name}
}

func (c *Config) readRealms() {
	c.realms = make(map[string]Realm)
	for _, name := range c.profile.Subsections("realms") {
		c.realms[name] = c.readRealm(name)
	}
}

func (c *Config) readRealm(name string) Realm {
	r := Realm{
		Name:         name,
		KDCs:         c.servers(name, "kdc", portKDC),
		PrimaryKDCs:  c.servers(name, "primary_kdc", portKDC),
		AdminServers: c.servers(name, "admin_server", portKadmin),
		AuthToLocal:  c.profile.Values("realms", name, "auth_to_local"),
		HTTPAnchors:  c.profile.Values("realms", name, "http_anchors"),
		LocalNames:   c.profile.firstValues(func(s string) string { return s }, "realms", name, "auth_to_local_names"),
	}
	if r.PrimaryKDCs == nil {
		r.PrimaryKDCs = c.servers(name, "master_kdc", portKDC)
	}
	r.KpasswdServers = c.servers(name, "kpasswd_server", portKpasswd)
	if r.KpasswdServers == nil {
		for _, s := range r.AdminServers {
			s.Port = portKpasswd
			r.KpasswdServers = append(r.KpasswdServers, s)
		}
	}
	r.DefaultDomain, _ = c.profile.Value("realms", name, "default_domain")
	return r
}

func (c *Config) servers(realm, relation string, port uint16) []Server {
	var list []Server
	for _, value := range c.profile.Values("realms", realm, relation) {
		s, err := parseServer(value, port)
		if err != nil {
			c.warn("[realms] %s: %s = %q: %v; the entry is passed over", realm, relation, value, err)
			continue
		}
		list = append(list, s)
	}
	return list
}

// parseServer reads "host", "host:port", "[v6]:port", each with an optional
// "udp/" or "tcp/" before it, and the URL of a KDC proxy.
func parseServer(text string, port uint16) (Server, error) {
	// MIT cuts the value at a blank or a comma.
	if i := strings.IndexAny(text, space+","); i >= 0 {
		text = text[:i]
	}
	if len(text) >= 8 && strings.EqualFold(text[:8], "https://") {
		return parseProxy(text)
	}
	var s Server
	if proto, rest, ok := strings.Cut(text, "/"); ok {
		if s.Proto = strings.ToLower(proto); s.Proto != "udp" && s.Proto != "tcp" {
			return Server{}, fmt.Errorf("transport %q is not supported; want udp/, tcp/ or https://", proto)
		}
		text = rest
	}
	host, digits, err := splitPort(text)
	if err != nil {
		return Server{}, err
	}
	if s.Port, err = parsePort(digits, port); err != nil {
		return Server{}, err
	}
	if s.Host = host; host == "" || strings.ContainsAny(host, `/[]\`) {
		return Server{}, fmt.Errorf("want host, host:port or [address]:port")
	}
	return s, nil
}

// splitPort parts a host from its port. An IPv6 address needs no brackets if it
// has no port.
func splitPort(text string) (host, port string, err error) {
	if rest, ok := strings.CutPrefix(text, "["); ok {
		host, port, ok = strings.Cut(rest, "]")
		if port, has := strings.CutPrefix(port, ":"); ok && (has || port == "") {
			return host, port, nil
		}
		return "", "", fmt.Errorf("want [address] or [address]:port")
	}
	if strings.Count(text, ":") > 1 {
		if _, err := netip.ParseAddr(text); err != nil {
			return "", "", fmt.Errorf("an IPv6 address with a port needs brackets")
		}
		return text, "", nil
	}
	host, port, _ = strings.Cut(text, ":")
	return host, port, nil
}

func parseProxy(text string) (Server, error) {
	u, err := url.Parse(text)
	if err != nil || u.Hostname() == "" {
		return Server{}, fmt.Errorf("it is no URL of the form https://host/path")
	}
	port, err := parsePort(u.Port(), portHTTPS)
	if err != nil {
		return Server{}, err
	}
	return Server{Proto: "https", Host: u.Hostname(), Port: port, URL: text}, nil
}

// parsePort reads a port, where "" stands for def.
func parsePort(digits string, def uint16) (uint16, error) {
	if digits == "" {
		return def, nil
	}
	n, err := strconv.ParseUint(digits, 10, 16)
	if err != nil || n == 0 {
		return 0, fmt.Errorf("port %q is no number from 1 to 65535", digits)
	}
	return uint16(n), nil
}
