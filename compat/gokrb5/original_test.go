package spnego

import (
	"path/filepath"
	"testing"

	_ "github.com/gorilla/sessions" // an example imports it

	"github.com/go-negotiate/negotiate/compat/internal/dropin"
	"github.com/go-negotiate/negotiate/internal/modtest"
)

const (
	originalModule = "github.com/jcmturner/gokrb5/v8"
	originalPath   = originalModule + "/spnego"
)

func TestNames(t *testing.T) {
	dropin.Compare(t, filepath.Join(modtest.Dir(t, originalModule), "spnego"), ".")
}

// TestExamplesCompile compiles gokrb5's example programs with one import
// changed.
func TestExamplesCompile(t *testing.T) {
	dropin.Build(t, filepath.Join(modtest.Dir(t, originalModule), "examples"), originalPath, modtest.Path+"/compat/gokrb5")
}
