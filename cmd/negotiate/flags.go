package main

import (
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"
)

// flag is one flag of a command.
type flag struct {
	short string // one letter; empty for none
	long  string
	value string // what help calls the value; empty for a flag without one
	// optional tells that the value may be left out, and is given by = only.
	optional bool
	help     string
	set      func(value string) error
}

// group is a list of flags that belong together.
type group struct {
	title string
	flags []*flag
}

// parseFlags reads a command line as curl does: flags before or after the
// other arguments, --name value or --name=value, several letters after one dash,
// -Xvalue or -X value, and -- before what only looks like a flag. It returns the
// other arguments.
func parseFlags(groups []group, args []string) (rest []string, err error) {
	p := flagParser{groups: groups, args: args}
	for len(p.args) > 0 {
		arg := p.next()
		switch {
		case arg == "--":
			return append(rest, p.args...), nil
		case strings.HasPrefix(arg, "--"):
			err = p.long(arg[2:])
		case len(arg) > 1 && arg[0] == '-':
			err = p.letters(arg[1:])
		default:
			rest = append(rest, arg)
		}
		if err != nil {
			return nil, err
		}
	}
	return rest, nil
}

type flagParser struct {
	groups []group
	args   []string // not read yet
}

func (p *flagParser) next() string {
	arg := p.args[0]
	p.args = p.args[1:]
	return arg
}

func (p *flagParser) find(match func(*flag) bool) *flag {
	for _, g := range p.groups {
		for _, f := range g.flags {
			if match(f) {
				return f
			}
		}
	}
	return nil
}

// long takes a flag without its two dashes.
func (p *flagParser) long(arg string) error {
	name, value, given := strings.Cut(arg, "=")
	f := p.find(func(f *flag) bool { return f.long == name && name != "" })
	if f == nil {
		return fmt.Errorf("unknown flag --%s", name)
	}
	return p.assign(f, "--"+name, value, given)
}

// letters takes flags of one letter without their dash. What follows one with a
// value is the value.
func (p *flagParser) letters(arg string) error {
	for arg != "" {
		letter := arg[:1]
		arg = arg[1:]
		f := p.find(func(f *flag) bool { return f.short == letter })
		if f == nil {
			return fmt.Errorf("unknown flag -%s", printable(letter))
		}
		if f.value == "" || f.optional {
			if err := p.assign(f, "-"+letter, "", false); err != nil {
				return err
			}
			continue
		}
		return p.assign(f, "-"+letter, arg, arg != "")
	}
	return nil
}

// assign sets a flag to the value, or to the next argument if none is given.
func (p *flagParser) assign(f *flag, name, value string, given bool) error {
	switch {
	case given:
	case f.value == "" || f.optional:
	case len(p.args) == 0:
		return fmt.Errorf("%s needs a value: %s %s", name, name, f.value)
	default:
		value = p.next()
	}
	if err := f.set(value); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// What a flag sets.

func setString(p *string) func(string) error {
	return func(v string) error {
		*p = v
		return nil
	}
}

func appendString(p *[]string) func(string) error {
	return func(v string) error {
		*p = append(*p, v)
		return nil
	}
}

// setBool takes no value for true.
func setBool(p *bool) func(string) error {
	return func(v string) error {
		if v == "" {
			v = "true"
		}
		b, err := strconv.ParseBool(v)
		if err != nil {
			return fmt.Errorf("%q is neither true nor false", v)
		}
		*p = b
		return nil
	}
}

// setDuration takes what time.ParseDuration does, above zero.
func setDuration(p *time.Duration) func(string) error {
	return func(v string) error {
		d, err := time.ParseDuration(v)
		if err != nil || d <= 0 {
			return fmt.Errorf("%q is no duration such as 90s, 10m or 8h", v)
		}
		*p = d
		return nil
	}
}

// setChoice takes the String of one of the choices.
func setChoice[T fmt.Stringer](p *T, choices ...T) func(string) error {
	return func(v string) error {
		names := make([]string, len(choices))
		for i, c := range choices {
			if names[i] = c.String(); names[i] == v {
				*p = c
				return nil
			}
		}
		return fmt.Errorf("%q is none of %s", v, strings.Join(names, ", "))
	}
}

// parseOnlyFlags is parseFlags for a command without other arguments.
func parseOnlyFlags(groups []group, args []string) (rest []string, err error) {
	rest, err = parseFlags(groups, args)
	if err == nil && len(rest) > 0 {
		err = fmt.Errorf("%q is one argument too many", rest[0])
	}
	return nil, err
}

// setAddress takes HOST:PORT, where the host may be left out.
func setAddress(to *string) func(string) error {
	return func(v string) error {
		_, port, err := net.SplitHostPort(v)
		if err == nil {
			_, err = net.LookupPort("tcp", port)
		}
		if err != nil {
			return fmt.Errorf("%q is no HOST:PORT", v)
		}
		*to = v
		return nil
	}
}
