package profile

import (
	"fmt"
	"os"
	"os/user"
	"runtime"
	"strconv"
	"strings"
)

// Environment is what paths in a profile may refer to.
type Environment struct {
	Getenv   func(string) string // nil: no variables
	UID      int                 // below 0 where users have no numbers
	EUID     int
	Username func() string // nil or "": unknown
}

// ProcessEnvironment is that of the running process.
func ProcessEnvironment() Environment {
	return Environment{
		Getenv: os.Getenv,
		UID:    os.Getuid(),
		EUID:   os.Geteuid(),
		Username: func() string {
			u, err := user.LookupId(strconv.Itoa(os.Geteuid()))
			if err != nil {
				u, err = user.Current()
			}
			if err != nil {
				return ""
			}
			return u.Username
		},
	}
}

// Expand replaces the tokens %{...} of s as MIT does: uid, euid, USERID,
// username, TEMP and null, and on Windows APPDATA, LOCAL_APPDATA,
// COMMON_APPDATA and WINDOWS. Any other token is an error.
func (e Environment) Expand(s string) (string, error) {
	var b strings.Builder
	rest := s
	for {
		before, after, ok := strings.Cut(rest, "%{")
		b.WriteString(before)
		if !ok {
			return b.String(), nil
		}
		token, tail, ok := strings.Cut(after, "}")
		if !ok {
			return "", fmt.Errorf("%q has a %%{ without a }", s)
		}
		value, ok := e.token(token)
		if !ok {
			return "", fmt.Errorf("%q: the token %%{%s} cannot be expanded here", s, token)
		}
		b.WriteString(value)
		rest = tail
	}
}

func (e Environment) token(name string) (string, bool) {
	switch name {
	case "null":
		return "", true
	case "uid", "USERID":
		return strconv.Itoa(e.UID), e.UID >= 0
	case "euid":
		return strconv.Itoa(e.EUID), e.EUID >= 0
	case "username":
		return e.username()
	case "TEMP":
		return e.temp(), true
	}
	if runtime.GOOS == "windows" {
		return e.windowsToken(name)
	}
	return "", false
}

func (e Environment) username() (string, bool) {
	if e.Username == nil {
		return "", false
	}
	name := e.Username()
	return name, name != ""
}

func (e Environment) temp() string {
	for _, v := range []string{"TMPDIR", "TEMP", "TMP"} {
		if dir := e.getenv(v); dir != "" && (v == "TMPDIR" || runtime.GOOS == "windows") {
			return strings.TrimRight(dir, `/\`)
		}
	}
	return "/tmp"
}

func (e Environment) windowsToken(name string) (string, bool) {
	variables := map[string]string{
		"APPDATA":        "APPDATA",
		"LOCAL_APPDATA":  "LOCALAPPDATA",
		"COMMON_APPDATA": "PROGRAMDATA",
		"WINDOWS":        "WINDIR",
	}
	value := e.getenv(variables[name])
	return value, value != ""
}

func (e Environment) getenv(name string) string {
	if e.Getenv == nil || name == "" {
		return ""
	}
	return e.Getenv(name)
}
