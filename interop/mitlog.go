//go:build interop

package interop

import (
	"os"
	"strings"
	"testing"
)

// KDCCount is how many requests a KDC has logged. A login with
// pre-authentication is two AS-REQs, one of them issued.
type KDCCount struct {
	ASReq, ASIssued   int
	TGSReq, TGSIssued int
}

// Sub is what came since an earlier count.
func (c KDCCount) Sub(earlier KDCCount) KDCCount {
	return KDCCount{
		ASReq: c.ASReq - earlier.ASReq, ASIssued: c.ASIssued - earlier.ASIssued,
		TGSReq: c.TGSReq - earlier.TGSReq, TGSIssued: c.TGSIssued - earlier.TGSIssued,
	}
}

// Count counts what the KDC has logged so far. The KDC logs a request before
// it answers, so that whoever has the answer is counted.
func (m *MIT) Count(tb testing.TB) KDCCount {
	tb.Helper()
	log, err := os.ReadFile(m.LogFile)
	if err != nil {
		tb.Fatal(err)
	}
	var c KDCCount
	for line := range strings.Lines(string(log)) {
		issued := 0
		if strings.Contains(line, ": ISSUE: ") {
			issued = 1
		}
		switch {
		case strings.Contains(line, "AS_REQ ("):
			c.ASReq++
			c.ASIssued += issued
		case strings.Contains(line, "TGS_REQ ("):
			c.TGSReq++
			c.TGSIssued += issued
		}
	}
	return c
}
