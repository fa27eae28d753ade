package krb5

import "time"

// ReplacePatiently has requests wait for the next ticket however slow the machine
// is.
func ReplacePatiently(p *Provider) { p.replaceTimeout = time.Hour }
