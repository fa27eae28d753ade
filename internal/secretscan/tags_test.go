//go:build !race && !interop

package secretscan

// tags are for the go command.
var tags []string
