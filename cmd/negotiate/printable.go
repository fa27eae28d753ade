package main

import (
	"strconv"
	"strings"
	"unicode"
)

// printable escapes what could disturb a terminal. Messages repeat what a server
// or a KDC has sent.
func printable(s string) string {
	if strings.IndexFunc(s, disturbs) < 0 {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		if disturbs(r) {
			b.WriteString(strings.Trim(strconv.QuoteRune(r), "'"))
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}

func disturbs(r rune) bool { return !unicode.IsPrint(r) && r != '\t' }
