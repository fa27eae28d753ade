package main

import (
	"slices"
	"strings"
	"testing"
)

func TestParseFlags(t *testing.T) {
	tests := []struct {
		args string
		want string // the flags as they were set, then the other arguments
		err  string
	}{
		{"", "", ""},
		{"a b", "| a b", ""},
		{"-s a", "s= | a", ""},
		{"a -s", "s= | a", ""},
		{"-sv a", "s= v= | a", ""},
		{"-X POST a", "X=POST | a", ""},
		{"-XPOST a", "X=POST | a", ""},
		{"-X=POST", "X==POST", ""},
		{"-svXPOST a", "s= v= X=POST | a", ""},
		{"-svX POST", "s= v= X=POST", ""},
		{"-Xsv", "X=sv", ""},
		{"--request POST", "X=POST", ""},
		{"--request=POST", "X=POST", ""},
		{"--request=", "X=", ""},
		{"--request -s", "X=-s", ""},
		{"-X -s", "X=-s", ""},
		{"--silent --verbose", "s= v=", ""},
		{"--silent=false", "s=false", ""},
		{"--when a", "w= | a", ""},
		{"--when=now a", "w=now | a", ""},
		{"-w a", "w= | a", ""},
		{"-ws", "w= s=", ""},
		{"- a", "| - a", ""},
		{"-- -s", "| -s", ""},
		{"a -- -s --", "| a -s --", ""},
		{"--nothing", "", "unknown flag --nothing"},
		{"--=x", "", "unknown flag --"},
		{"-sZ", "", "unknown flag -Z"},
		{"-X", "", "-X needs a value: -X METHOD"},
		{"--request", "", "--request needs a value: --request METHOD"},
		{"---s", "", "unknown flag ---s"},
	}
	for _, test := range tests {
		var set []string
		record := func(name string) func(string) error {
			return func(v string) error {
				set = append(set, name+"="+v)
				return nil
			}
		}
		groups := []group{
			{"one", []*flag{{short: "s", long: "silent", set: record("s")}, {short: "v", long: "verbose", set: record("v")}}},
			{"two", []*flag{
				{short: "X", long: "request", value: "METHOD", set: record("X")},
				{short: "w", long: "when", value: "WHEN", optional: true, set: record("w")},
			}},
		}
		rest, err := parseFlags(groups, strings.Fields(test.args))
		if len(rest) > 0 {
			set = append(append(set, "|"), rest...)
		}
		switch {
		case test.err != "" && (err == nil || err.Error() != test.err):
			t.Errorf("%q: got error %v, want %s", test.args, err, test.err)
		case test.err == "" && (err != nil || strings.Join(set, " ") != test.want):
			t.Errorf("%q: got %q, %v, want %q", test.args, set, err, test.want)
		}
	}
}

// TestFlagNames checks that no command has two flags of one name.
func TestFlagNames(t *testing.T) {
	for name, groups := range allGroups() {
		var names []string
		for _, g := range groups {
			for _, f := range g.flags {
				names = append(names, f.long)
				if f.short != "" {
					names = append(names, f.short)
				}
				if f.help == "" || f.set == nil {
					t.Errorf("%s --%s is not complete", name, f.long)
				}
			}
		}
		slices.Sort(names)
		if unique := slices.Compact(slices.Clone(names)); len(unique) != len(names) {
			t.Errorf("%s has a flag twice: %q", name, names)
		}
	}
}

func allGroups() map[string][]group {
	return map[string][]group{
		"get": new(getOptions).groups(), "serve": new(serveOptions).groups(), "kdc": new(kdcOptions).groups(),
	}
}
