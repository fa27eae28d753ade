//go:build !race && interop

package secretscan

// tags have the tests with real peers run too.
var tags = []string{"-tags=interop"}
