package main

import (
	"fmt"
	"runtime/debug"
	"strings"
)

func runHelp(args []string, s stdio) int {
	switch len(args) {
	case 0:
		fmt.Fprint(s.out, overview())
		return exitOK
	case 1:
		if c, ok := findCommand(args[0]); ok {
			fmt.Fprint(s.out, c.help())
			return exitOK
		}
	}
	return usageError(s, "", fmt.Errorf("there is no help on %q", strings.Join(args, " ")))
}

// overview is what the command says of itself.
func overview() string {
	var b strings.Builder
	b.WriteString("negotiate is HTTP Negotiate authentication (Kerberos) on the command line.\n\n" +
		"Usage: negotiate COMMAND [flags] [arguments]\n\n")
	for _, c := range commands() {
		fmt.Fprintf(&b, "  %-11s%s\n", c.name, c.summary)
	}
	b.WriteString("  help       say more about a command: negotiate help get\n" +
		"  version    print the version\n")
	return b.String()
}

// Columns of the lists of flags.
const (
	helpWidth  = 80
	helpColumn = 29
)

// flagHelp lists flags, under the title of their group.
func flagHelp(groups []group) string {
	var b strings.Builder
	for _, g := range groups {
		fmt.Fprintf(&b, "\n%s:\n", g.title)
		for _, f := range g.flags {
			b.WriteString(f.describe())
		}
	}
	return b.String()
}

func (f *flag) describe() string {
	name := "    --" + f.long
	if f.short != "" {
		name = "-" + f.short
		if f.long != "" {
			name += ", --" + f.long
		}
	}
	switch {
	case f.optional:
		name += "[=" + f.value + "]"
	case f.value != "":
		name += " " + f.value
	}
	lines := wrap(f.help, helpWidth-helpColumn)
	var b strings.Builder
	if len(name)+2 >= helpColumn {
		fmt.Fprintf(&b, "  %s\n", name)
	} else {
		fmt.Fprintf(&b, "  %-*s%s\n", helpColumn-2, name, lines[0])
		lines = lines[1:]
	}
	for _, line := range lines {
		fmt.Fprintf(&b, "%*s%s\n", helpColumn, "", line)
	}
	return b.String()
}

// wrap breaks text between words into lines of at most width columns. It returns
// one line at least.
func wrap(text string, width int) []string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(text) {
		switch {
		case line == "":
			line = word
		case len(line)+1+len(word) > width:
			lines = append(lines, line)
			line = word
		default:
			line += " " + word
		}
	}
	return append(lines, line)
}

// version is the module's version that the binary was built from.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" {
		return "(devel)"
	}
	return info.Main.Version
}
