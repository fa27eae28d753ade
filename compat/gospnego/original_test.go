package spnego

import (
	"path/filepath"
	"testing"

	_ "github.com/dpotapov/go-spnego" // has the module at hand

	"github.com/go-negotiate/negotiate/compat/internal/dropin"
	"github.com/go-negotiate/negotiate/internal/modtest"
)

const originalPath = "github.com/dpotapov/go-spnego"

// TestNames lets one method differ: a later release of the original has a
// parameter more.
func TestNames(t *testing.T) {
	dropin.Compare(t, modtest.Dir(t, originalPath), ".", "Provider.SetSPNEGOHeader")
}

func TestExamplesCompile(t *testing.T) {
	dropin.Build(t, filepath.Join(modtest.Dir(t, originalPath), "examples"), originalPath, modtest.Path+"/compat/gospnego")
}
