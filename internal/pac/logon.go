package pac

import "time"

// Group is a group that the user is in, by its number in the domain.
type Group struct {
	RID        uint32
	Attributes uint32
}

// SIDGroup is a group that the user is in, of any domain.
type SIDGroup struct {
	SID        SID
	Attributes uint32
}

// DenyOnly of a group's attributes (SE_GROUP_USE_FOR_DENY_ONLY) says that being
// in it permits nothing.
const DenyOnly = 0x10

// Logon is what the directory says of the user (MS-PAC, section 2.5), without
// what has no meaning in a ticket. Zero times are "never" or "not known".
type Logon struct {
	LogonTime, LogoffTime, PasswordLastSet time.Time

	EffectiveName string // the account's name
	FullName      string
	LogonServer   string
	LogonDomain   string // its NetBIOS name

	Domain       SID
	UserID       uint32
	PrimaryGroup uint32
	Groups       []Group // of the domain
	Extra        []SIDGroup
	// ResourceDomain is the domain of Resource.
	ResourceDomain SID
	Resource       []Group
}

// Logon reads the logon information; nil if there is none.
func (p *PAC) Logon() (*Logon, error) {
	data, err := p.find(TypeLogon)
	if data == nil || err != nil {
		return nil, err
	}
	r := newNDR(data)
	l := readLogon(r)
	if r.failed {
		return nil, malformed("its logon information cannot be read")
	}
	return l, nil
}

func readLogon(r *ndrReader) *Logon {
	l := new(Logon)
	l.LogonTime, l.LogoffTime = timeOf(r.fileTime()), timeOf(r.fileTime())
	r.fileTime() // when to be logged off
	l.PasswordLastSet = timeOf(r.fileTime())
	r.fileTime() // when the password can change
	r.fileTime() // when it must
	// Of names: the account's, the person's, logon script, profile, home and its drive.
	var names [6]ndrString
	for i := range names {
		names[i] = r.stringHead()
	}
	r.u32() // numbers of logons and of wrong passwords
	l.UserID, l.PrimaryGroup = r.u32(), r.u32()
	groups, hasGroups := r.u32(), r.u32() != 0
	r.u32()       // flags
	r.next(16, 1) // session key, of NTLM only
	server, domain := r.stringHead(), r.stringHead()
	hasDomain := r.u32() != 0
	for range 10 { // reserved, account control, status, times and number of failures
		r.u32()
	}
	extra, hasExtra := r.u32(), r.u32() != 0
	hasResourceDomain := r.u32() != 0
	resource, hasResource := r.u32(), r.u32() != 0

	for i, h := range names {
		text := r.stringBody(h)
		switch i {
		case 0:
			l.EffectiveName = text
		case 1:
			l.FullName = text
		}
	}
	if hasGroups {
		l.Groups = r.groups(groups)
	}
	l.LogonServer, l.LogonDomain = r.stringBody(server), r.stringBody(domain)
	if hasDomain {
		l.Domain = r.sid()
	}
	if hasExtra {
		l.Extra = r.sidGroups(extra)
	}
	if hasResourceDomain {
		l.ResourceDomain = r.sid()
	}
	if hasResource {
		l.Resource = r.groups(resource)
	}
	return l
}

func (r *ndrReader) groups(want uint32) []Group {
	out := make([]Group, r.array(want, 8))
	for i := range out {
		out[i] = Group{r.u32(), r.u32()}
	}
	return out
}

func (r *ndrReader) sidGroups(want uint32) []SIDGroup {
	out := make([]SIDGroup, r.array(want, 8))
	set := make([]bool, len(out))
	for i := range out {
		set[i] = r.u32() != 0
		out[i].Attributes = r.u32()
	}
	for i := range out {
		if set[i] {
			out[i].SID = r.sid()
		}
	}
	return out
}

// Append encodes the information as a buffer of TypeLogon.
func (l *Logon) Append() []byte {
	w := beginNDR()
	w.fileTime(fileTimeOf(l.LogonTime))
	w.fileTime(fileTimeOf(l.LogoffTime))
	w.fileTime(never)
	w.fileTime(fileTimeOf(l.PasswordLastSet))
	w.fileTime(fileTimeOf(l.PasswordLastSet))
	w.fileTime(never)
	for _, s := range [...]string{l.EffectiveName, l.FullName, "", "", "", ""} {
		w.text(s)
	}
	w.u32(0)
	w.u32(l.UserID)
	w.u32(l.PrimaryGroup)
	w.groups(l.Groups)
	const extraSIDs, resourceGroups = 0x20, 0x200
	flags := uint32(0)
	if len(l.Extra) > 0 {
		flags |= extraSIDs
	}
	if len(l.Resource) > 0 {
		flags |= resourceGroups
	}
	w.u32(flags)
	w.b = append(w.b, make([]byte, 16)...)
	w.text(l.LogonServer)
	w.text(l.LogonDomain)
	w.sid(l.Domain)
	w.u32(0)
	w.u32(0)
	const normalAccount = 0x10
	w.u32(normalAccount)
	for range 7 {
		w.u32(0)
	}
	w.sidGroups(l.Extra)
	w.sid(l.ResourceDomain)
	w.groups(l.Resource)
	return w.end()
}

func (w *ndrWriter) groups(groups []Group) {
	w.u32(uint32(len(groups)))
	if len(groups) == 0 {
		w.u32(0)
		return
	}
	w.pointer(func() {
		w.u32(uint32(len(groups)))
		for _, g := range groups {
			w.u32(g.RID)
			w.u32(g.Attributes)
		}
	})
}

func (w *ndrWriter) sidGroups(groups []SIDGroup) {
	w.u32(uint32(len(groups)))
	if len(groups) == 0 {
		w.u32(0)
		return
	}
	w.pointer(func() {
		w.u32(uint32(len(groups)))
		outer := w.body
		w.body = nil
		for _, g := range groups {
			w.sid(g.SID)
			w.u32(g.Attributes)
		}
		w.flush()
		w.body = outer
	})
}

const (
	// never is the FILETIME of what does not happen.
	never = 1<<63 - 1
	// epoch is 1970 in units of 100 ns since 1601.
	epoch = 116444736000000000
)

func timeOf(n uint64) time.Time {
	if n == 0 || n >= never {
		return time.Time{}
	}
	ticks := int64(n) - epoch
	return time.Unix(ticks/1e7, ticks%1e7*100).UTC()
}

func fileTimeOf(t time.Time) uint64 {
	if t.IsZero() {
		return never
	}
	return uint64(t.Unix()*1e7 + int64(t.Nanosecond())/100 + epoch)
}
